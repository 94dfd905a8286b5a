import { Semaphore } from "#base/semaphore.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Digest } from "#oci/digest.ts";
import type { NamedReference } from "#oci/reference.ts";
import { gzipped } from "./compress.ts";
import type { LayerProgress, PushWord } from "./layer-progress.ts";
import type { PushRecords } from "./push-records.ts";
import { isPlainLayer } from "./push-tree.ts";
import type { Content, StoredBlob } from "./stores.ts";

/** The part of a registry client that pushing needs. */
export interface PushRegistry {
  findBlob(
    repository: string,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<{ readonly size: number } | undefined>;
  mountBlob(
    repository: string,
    blob: { readonly digest: Digest },
    mountFrom: string,
    signal: AbortSignal,
  ): Promise<boolean>;
  upload(
    repository: string,
    source: {
      readonly expected?: StoredBlob | undefined;
      open(offset: number): AsyncIterable<Uint8Array>;
    },
    options: { readonly sent?: (bytes: number) => void; readonly retryDelayMs?: number },
    signal: AbortSignal,
  ): Promise<StoredBlob>;
  putManifest(
    repository: string,
    reference: string,
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    signal: AbortSignal,
  ): Promise<Digest>;
}

/** Where to, and on whose behalf, blobs are pushed. */
export interface BlobTarget {
  readonly name: NamedReference;
  readonly registry: PushRegistry;
  readonly signal: AbortSignal;
  /** Other repositories of the registry that seem to have a blob, likeliest first. */
  readonly mountable: (blob: Digest) => readonly string[];
}

export interface BlobPusherOptions {
  readonly content: Content;
  readonly records: PushRecords;
  /** How many layers are compressed at once. */
  readonly processors: number;
  /** Before the second attempt at a blob; doubled for each further one. */
  readonly retryDelayMs?: number | undefined;
}

/** As many as Docker. [moby daemon/config/config.go] */
export const PARALLEL_UPLOADS = 5;

/** Brings blobs of the content store into registries: five at a time, those that are not compressed yet as gzip. */
export class BlobPusher {
  readonly #options: BlobPusherOptions;
  readonly #places = new Semaphore(PARALLEL_UPLOADS);
  readonly #processors: Semaphore;

  constructor(options: BlobPusherOptions) {
    this.#options = options;
    this.#processors = new Semaphore(options.processors);
  }

  /** Makes sure that the registry has a blob. @returns what it is there: the blob itself, or its compressed form */
  async push(target: BlobTarget, blob: Descriptor, line?: LayerProgress<PushWord>): Promise<StoredBlob> {
    using _place = await this.#places.acquire();
    target.signal.throwIfAborted();
    const { domain, path } = target.name;
    const pushed = await this.#ensure(target, blob, line);
    this.#options.records.add(blob.digest, pushed, `${domain}/${path}`);
    return pushed;
  }

  async #ensure(
    target: BlobTarget,
    blob: Descriptor,
    line: LayerProgress<PushWord> | undefined,
  ): Promise<StoredBlob> {
    const known = this.#options.records.find(blob.digest)?.pushed ?? (isPlainLayer(blob) ? undefined : blob);
    if (known) {
      const found = await this.#find(target, known, blob);
      if (found !== undefined) {
        line?.say(found);
        return { digest: known.digest, size: known.size };
      }
    }
    const pushed =
      known?.digest === blob.digest
        ? await this.#upload(target, blob, line)
        : await this.#compress(target, blob, line);
    line?.say("Pushed");
    return pushed;
  }

  async #find(
    { name, registry, signal, mountable }: BlobTarget,
    known: StoredBlob,
    blob: Descriptor,
  ): Promise<"Layer already exists" | `Mounted from ${string}` | undefined> {
    if (await registry.findBlob(name.path, known.digest, signal)) return "Layer already exists";
    const [from] = mountable(blob.digest);
    if (from === undefined || !(await registry.mountBlob(name.path, known, from, signal))) return undefined;
    return `Mounted from ${from}`;
  }

  async #upload(
    { name, registry, signal }: BlobTarget,
    { digest, size }: Descriptor,
    line: LayerProgress<PushWord> | undefined,
  ): Promise<StoredBlob> {
    const { content } = this.#options;
    return await registry.upload(
      name.path,
      { expected: { digest, size }, open: (offset) => content.read(digest, offset) },
      { ...this.#retry(), sent: (bytes) => line?.moved("Pushing", bytes) },
      signal,
    );
  }

  /** What it becomes is known when it is there. */
  async #compress(
    { name, registry, signal }: BlobTarget,
    { digest }: Descriptor,
    line: LayerProgress<PushWord> | undefined,
  ): Promise<StoredBlob> {
    using _processor = await this.#processors.acquire();
    const { content } = this.#options;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      let position = 0;
      for await (const chunk of content.read(digest)) {
        yield chunk;
        position += chunk.byteLength;
        line?.moved("Pushing", position);
      }
    };
    return await registry.upload(name.path, { open: () => gzipped(counted()) }, this.#retry(), signal);
  }

  #retry(): { readonly retryDelayMs?: number } {
    const { retryDelayMs } = this.#options;
    return retryDelayMs === undefined ? {} : { retryDelayMs };
  }
}
