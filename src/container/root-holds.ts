import type { ContainerId } from "#base/ids.ts";
import { EngineError } from "#base/errors.ts";

/**
 * Who needs a container's mounted root. The container itself does from start to exit; copies and exports hold it besides,
 * whether it runs or not. It is mounted once for all of them, as two overlay mounts on one layer would corrupt it.
 */
export class RootHolds {
  readonly #runs = new Set<ContainerId>();
  readonly #holds = new Map<ContainerId, Set<AbortController>>();

  /** Notes that the container runs, or is about to. */
  beginRun(id: ContainerId): void {
    this.#runs.add(id);
  }

  /** Notes that the container does not run. True when nobody else needs the root. */
  endRun(id: ContainerId): boolean {
    this.#runs.delete(id);
    return !this.isHeld(id);
  }

  isRunning(id: ContainerId): boolean {
    return this.#runs.has(id);
  }

  isHeld(id: ContainerId): boolean {
    return (this.#holds.get(id)?.size ?? 0) > 0;
  }

  /** Holds the root; `signal` fires when it is taken away all the same. */
  hold(id: ContainerId): { readonly signal: AbortSignal; release(): void } {
    const controller = new AbortController();
    const holds = this.#holds.get(id) ?? new Set();
    this.#holds.set(id, holds.add(controller));
    return {
      signal: controller.signal,
      release: () => {
        holds.delete(controller);
        if (holds.size === 0 && this.#holds.get(id) === holds) this.#holds.delete(id);
      },
    };
  }

  /** The container is being removed: whoever holds its root is to let go. */
  revoke(id: ContainerId): void {
    const holds = this.#holds.get(id) ?? [];
    this.#holds.delete(id);
    for (const controller of holds) {
      controller.abort(new EngineError("conflict", `container ${id} is being removed`));
    }
  }
}
