import type { Clock } from "#base/clock.ts";
import { shortId } from "#base/ids.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Progress, ProgressLine } from "./image.ts";

/** Lines of one piece of work for all who wait for it; who comes late is told where everything stands. */
export class ProgressHub {
  readonly #listeners = new Set<Progress>();
  /** The last line of each id, and every line without one. */
  readonly #latest = new Map<string, ProgressLine>();

  readonly tell: Progress = (line) => {
    const key = line.kind === "status" && line.id !== undefined ? line.id : `line ${this.#latest.size}`;
    this.#latest.set(key, line);
    for (const listener of this.#listeners) listener(line);
  };

  /** Dispose to hear no more. */
  join(listener: Progress): Disposable {
    for (const line of this.#latest.values()) listener(line);
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

/** A line about bytes comes at most this often for one layer. */
const INTERVAL_MS = 100;

/** Docker's words for what becomes of a layer. [moby daemon/containerd/progress.go] */
export class LayerProgress {
  readonly #progress: Progress;
  readonly #layer: Descriptor;
  readonly #clock: Clock;
  #lastAt = 0;

  constructor(
    layer: Descriptor,
    { progress, clock }: { readonly progress: Progress; readonly clock: Clock },
  ) {
    this.#layer = layer;
    this.#progress = progress;
    this.#clock = clock;
  }

  say(
    status:
      | "Pulling fs layer"
      | "Waiting"
      | "Verifying Checksum"
      | "Download complete"
      | "Pull complete"
      | "Already exists",
  ): void {
    this.#progress({ kind: "status", status, id: shortId(this.#layer.digest) });
  }

  extracting(): void {
    this.#bytes("Extracting", this.#layer.size);
  }

  downloaded(current: number): void {
    const now = this.#clock();
    if (now - this.#lastAt < INTERVAL_MS && current < this.#layer.size) return;
    this.#lastAt = now;
    this.#bytes("Downloading", current);
  }

  #bytes(status: string, current: number): void {
    const { digest, size } = this.#layer;
    this.#progress({ kind: "status", status, id: shortId(digest), bytes: { current, total: size } });
  }
}
