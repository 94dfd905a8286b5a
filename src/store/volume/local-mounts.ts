import { EngineError, errorMessage, isErrno } from "#base/errors.ts";
import { MNT_DETACH } from "#linux/constants.ts";
import type { Kernel } from "#linux/kernel.ts";
import { run } from "#linux/process.ts";
import { selfCommand } from "#linux/self.ts";
import { localMount, type LocalOptions } from "./local-options.ts";

/** A server that does not answer is waited for so long. */
const MOUNT_DEADLINE_MS = 60_000;

export interface LocalVolume {
  readonly name: string;
  readonly options: LocalOptions;
  /** Its data directory, on which is mounted. */
  readonly path: string;
}

/**
 * Volumes whose data are mounted from elsewhere: mounted for the first who holds one, unmounted after the last. Holders
 * are containers, by id, and pieces of work. After a crash the mounts are still there: whoever holds one says so again, and
 * `unmountUnheld` ends the others.
 */
export class LocalMounts {
  readonly #kernel: Pick<Kernel, "mounts" | "unmount">;
  readonly #holders = new Map<string, Set<string>>();
  readonly #mounting = new Map<string, Promise<void>>();

  constructor(kernel: Pick<Kernel, "mounts" | "unmount">) {
    this.#kernel = kernel;
  }

  /** Idempotent for a holder. @throws {EngineError} internal when it can not be mounted */
  async hold(volume: LocalVolume, holder: string): Promise<void> {
    if (localMount(volume.options) === undefined) return;
    const holders = this.#holders.get(volume.name) ?? new Set();
    this.#holders.set(volume.name, holders.add(holder));
    const mounting = this.#mounting.get(volume.name) ?? this.#mount(volume);
    this.#mounting.set(volume.name, mounting);
    try {
      await mounting;
    } catch (error) {
      this.release(volume, holder);
      throw error;
    } finally {
      if (this.#mounting.get(volume.name) === mounting) this.#mounting.delete(volume.name);
    }
    // Released meanwhile by the clean-up of what wanted it.
    if (!this.#isHeld(volume)) this.#unmount(volume);
  }

  /** Success when it is not held. */
  release(volume: LocalVolume, holder: string): void {
    const holders = this.#holders.get(volume.name);
    if (!holders?.delete(holder) || holders.size > 0) return;
    this.#holders.delete(volume.name);
    if (!this.#mounting.has(volume.name)) this.#unmount(volume);
  }

  /** Takes away what an engine before this one left mounted and nobody holds. */
  unmountUnheld(volumes: readonly LocalVolume[]): void {
    const mounted = new Set(this.#kernel.mounts().map(({ target }) => target));
    for (const volume of volumes) {
      if (mounted.has(volume.path) && !this.#isHeld(volume)) this.#unmount(volume);
    }
  }

  #isHeld({ name }: LocalVolume): boolean {
    return this.#holders.has(name);
  }

  #isMounted({ path }: LocalVolume): boolean {
    return this.#kernel.mounts().some(({ target }) => target === path);
  }

  async #mount(volume: LocalVolume): Promise<void> {
    if (this.#isMounted(volume)) return;
    const request = JSON.stringify({ target: volume.path, options: volume.options });
    const signal = AbortSignal.timeout(MOUNT_DEADLINE_MS);
    const { exitCode, stdout, stderr } = await run(selfCommand("worker", "mount", request), { signal }).catch(
      (error: unknown) => ({ exitCode: 1, stdout: Buffer.from(errorMessage(error)), stderr: "" }),
    );
    if (exitCode === 0) return;
    const reason = Buffer.from(stdout).toString() || stderr.trim();
    throw new EngineError("internal", `error while mounting volume '${volume.path}': ${reason}`, {
      hint: `darse volume inspect ${volume.name}`,
    });
  }

  /** Until nothing is mounted there: below a mount lie data that are not ours to delete. */
  #unmount(volume: LocalVolume): void {
    try {
      while (this.#isMounted(volume)) this.#kernel.unmount(volume.path, MNT_DETACH);
    } catch (error) {
      if (!isErrno(error, "EINVAL", "ENOENT")) throw error;
    }
  }
}
