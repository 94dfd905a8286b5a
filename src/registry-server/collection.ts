import { setTimeout as pause } from "node:timers/promises";
import { errorMessage } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import type { CollectionWish } from "./control.ts";
import type { Metrics } from "./http/metrics.ts";
import { type Collected, Collector } from "./storage/collector.ts";
import { everyRepository } from "./storage/catalog.ts";
import type { Storage } from "./storage/storage.ts";

export interface CollectionsOptions {
  readonly storage: Storage;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly uploadExpiryMs: number;
  /** Every so often; never by itself when absent. */
  readonly intervalMs: number | undefined;
  readonly withUntagged: boolean;
  /** A cache drops what nobody has asked for in so long. */
  readonly unusedMs?: number | undefined;
}

/** Abandoned uploads are looked for this often, or as often as they expire. */
const EXPIRY_CHECK_MS = 60 * 60 * 1000;

/** The collections of a running server: by the clock and by command, one at a time. Dispose to stop. */
export class Collections implements AsyncDisposable {
  readonly #options: CollectionsOptions;
  readonly #stop = new AbortController();
  readonly #loops: readonly Promise<void>[];
  #last: Promise<unknown> = Promise.resolve();
  #freed = 0;
  #runs = 0;

  constructor(options: CollectionsOptions) {
    this.#options = options;
    options.metrics.gauge("collections_total", "Garbage collections.", () => this.#runs, "counter");
    options.metrics.gauge(
      "collected_bytes_total",
      "Bytes that collections freed.",
      () => this.#freed,
      "counter",
    );
    const { intervalMs, withUntagged, uploadExpiryMs } = options;
    this.#loops = [
      this.#every(Math.min(EXPIRY_CHECK_MS, uploadExpiryMs), () => this.#expireUploads()),
      ...(intervalMs === undefined
        ? []
        : [this.#every(intervalMs, () => this.collect({ withUntagged, isDryRun: false }))]),
    ];
  }

  /** Collects when the collections before this one have ended. */
  async collect(wish: CollectionWish): Promise<Collected> {
    const { storage, log, uploadExpiryMs, unusedMs } = this.#options;
    const unusedBefore = unusedMs === undefined ? undefined : storage.now() - unusedMs;
    const work = this.#last
      .catch(() => undefined)
      .then(() =>
        new Collector(storage).collect({ ...wish, uploadExpiryMs, unusedBefore }, this.#stop.signal),
      );
    this.#last = work;
    const collected = await work;
    if (!wish.isDryRun) {
      this.#runs++;
      this.#freed += collected.bytes;
    }
    log.info("collected", { ...wish, ...collected });
    return collected;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([...this.#loops, this.#last]);
  }

  async #expireUploads(): Promise<void> {
    const { storage, log, uploadExpiryMs } = this.#options;
    for await (const repository of everyRepository(storage.layout)) {
      const expired = await storage.uploads.expire(repository, storage.now() - uploadExpiryMs);
      if (expired > 0) log.info("dropped abandoned uploads", { repository, uploads: expired });
    }
  }

  /** A failure is logged, and the next time comes all the same. */
  async #every(ms: number, work: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await pause(ms, undefined, { signal });
        await work();
      } catch (error) {
        if (!signal.aborted) this.#options.log.error("upkeep failed", { error: errorMessage(error) });
      }
    }
  }
}
