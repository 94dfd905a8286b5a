import { setTimeout as pause } from "node:timers/promises";
import { EngineError } from "#base/errors.ts";
import { Semaphore } from "#base/semaphore.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Digest } from "#oci/digest.ts";
import { isForeignLayer } from "#oci/media-types.ts";
import type { NamedReference } from "#oci/reference.ts";
import type { LayerProgress, PullWord } from "./layer-progress.ts";
import { SharedWork } from "./shared-work.ts";
import type { Content, Lease } from "./stores.ts";

/** The part of a registry client that pulling needs. */
export interface ImageRegistry {
  tags(repository: string, signal: AbortSignal): Promise<readonly string[]>;
  manifest(repository: string, reference: string, signal: AbortSignal): Promise<FetchedManifest>;
  blob(
    repository: string,
    blob: Pick<Descriptor, "digest" | "size">,
    offset: number,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
}

/** A manifest or index as a registry sent it, its digest verified. */
export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** Empty when the registry did not say. */
  readonly mediaType: string;
}

/** From where, and on whose behalf, a blob is fetched. */
export interface BlobSource {
  readonly name: NamedReference;
  readonly registry: ImageRegistry;
  readonly lease: Lease;
  readonly signal: AbortSignal;
}

/** As many as Docker. [moby daemon/config/config.go] */
const PARALLEL_DOWNLOADS = 3;
const ATTEMPTS = 5;
const RETRY_DELAY_MS = 500;

/** Brings blobs from registries into the content store: three at a time, each once, going on where a cut left off. */
export class Downloader {
  readonly #content: Content;
  readonly #retryDelayMs: number;
  readonly #running = new SharedWork<void>();
  readonly #places = new Semaphore(PARALLEL_DOWNLOADS);

  /** @param retryDelayMs before the second attempt at a blob; doubled for each further one */
  constructor(content: Content, retryDelayMs = RETRY_DELAY_MS) {
    this.#content = content;
    this.#retryDelayMs = retryDelayMs;
  }

  /** Makes sure that a blob is stored. @throws {EngineError} of the registry client, or of the store for wrong bytes */
  async fetch(source: BlobSource, blob: Descriptor, line?: LayerProgress<PullWord>): Promise<void> {
    source.lease.holdBlob(blob.digest);
    if (await this.#content.find(blob.digest)) {
      line?.say("Already exists");
      return;
    }
    const work = (stop: AbortSignal): Promise<void> =>
      this.#fetchBlob({ ...source, signal: stop }, blob, line);
    await this.#running.run(blob.digest, work, source.signal);
    line?.say("Download complete");
  }

  async #fetchBlob(
    source: BlobSource,
    blob: Descriptor,
    line: LayerProgress<PullWord> | undefined,
  ): Promise<void> {
    if (!this.#places.hasRoom) line?.say("Waiting");
    using _place = await this.#places.acquire();
    for (let attempt = 1; ; attempt++) {
      source.signal.throwIfAborted();
      const outcome = await this.#attempt(source, blob, line);
      if (outcome === "stored") return;
      if (!outcome.mayRetry || attempt >= ATTEMPTS) throw outcome.error;
      await pause(this.#retryDelayMs * 2 ** (attempt - 1), undefined, { signal: source.signal });
    }
  }

  /** One go at a blob, from where the last one stopped. */
  async #attempt(
    { name, registry, signal }: BlobSource,
    blob: Descriptor,
    line: LayerProgress<PullWord> | undefined,
  ): Promise<"stored" | { readonly error: unknown; readonly mayRetry: boolean }> {
    const { digest, size } = blob;
    await using ingest = await this.#content.resume({ digest, size });
    const start = ingest.offset;
    try {
      if (start < size) {
        for await (const chunk of registry.blob(name.path, { digest, size }, start, signal)) {
          await ingest.append(chunk);
          line?.moved("Downloading", ingest.offset);
        }
      }
      line?.say("Verifying Checksum");
      await ingest.commit();
      return "stored";
    } catch (error) {
      signal.throwIfAborted();
      // an old part may hold wrong bytes; begun anew, the registry has nobody else to blame
      const isOldPart = start > 0 && EngineError.is(error, "corrupt");
      return { error: explained(error, blob), mayRetry: isOldPart || EngineError.is(error, "unavailable") };
    }
  }
}

/**
 * A foreign layer is asked of the registry like any other, which many have by now. What its descriptor gives as its
 * address is not asked: an image does not say where this machine connects to (CVE-2020-15157).
 */
function explained(error: unknown, { mediaType, digest, urls }: Descriptor): unknown {
  if (!EngineError.is(error, "not-found") || !(isForeignLayer(mediaType) || urls?.length)) return error;
  return new EngineError("not-found", `the registry has not the foreign layer ${digest}`, {
    cause: error,
    hint: "addresses that an image names are not followed: have its layers pushed to a registry",
  });
}
