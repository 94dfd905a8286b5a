import type { Clock } from "#base/clock.ts";
import { shortId } from "#base/ids.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Progress } from "./image.ts";

/** A line about bytes comes at most this often for one layer. */
const INTERVAL_MS = 100;

/** Docker's words for what becomes of a layer that is pushed. [moby daemon/containerd/progress.go] */
export class PushProgress {
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
      | "Preparing"
      | "Waiting"
      | "Layer already exists"
      | "Pushed"
      | "Skipped foreign layer"
      | `Mounted from ${string}`,
  ): void {
    this.#progress({ kind: "status", status, id: shortId(this.#layer.digest) });
  }

  /** @param current bytes of the layer as it is stored here */
  pushing(current: number): void {
    const { size, digest } = this.#layer;
    const now = this.#clock();
    if (now - this.#lastAt < INTERVAL_MS && current < size) return;
    this.#lastAt = now;
    this.#progress({
      kind: "status",
      status: "Pushing",
      id: shortId(digest),
      bytes: { current, total: size },
    });
  }
}
