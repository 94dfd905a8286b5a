import type { Clock } from "#base/clock.ts";
import { shortId } from "#base/ids.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Progress } from "./image.ts";

/** A line about bytes comes at most this often for one layer. */
const INTERVAL_MS = 100;

/** What becomes of a layer that is pulled. */
export type PullWord =
  | "Pulling fs layer"
  | "Waiting"
  | "Verifying Checksum"
  | "Download complete"
  | "Pull complete"
  | "Already exists";

/** What becomes of a layer that is pushed. */
export type PushWord =
  | "Preparing"
  | "Waiting"
  | "Layer already exists"
  | "Pushed"
  | "Skipped foreign layer"
  | `Mounted from ${string}`;

/** Tells of one layer in Docker's words. [moby daemon/containerd/progress.go] */
export class LayerProgress<Word extends PullWord | PushWord> {
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

  say(status: Word): void {
    this.#progress({ kind: "status", status, id: shortId(this.#layer.digest) });
  }

  extracting(): void {
    this.#bytes("Extracting", this.#layer.size);
  }

  /** @param current bytes of the layer as it is stored here; told now and then, and at the end */
  moved(status: "Downloading" | "Pushing", current: number): void {
    const now = this.#clock();
    if (now - this.#lastAt < INTERVAL_MS && current < this.#layer.size) return;
    this.#lastAt = now;
    this.#bytes(status, current);
  }

  #bytes(status: string, current: number): void {
    const { digest, size } = this.#layer;
    this.#progress({ kind: "status", status, id: shortId(digest), bytes: { current, total: size } });
  }
}
