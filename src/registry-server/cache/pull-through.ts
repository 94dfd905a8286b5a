import { EngineError, errorMessage } from "#base/errors.ts";
import { KeyedLock } from "#base/lock.ts";
import type { Logger } from "#base/log.ts";
import { humanSize } from "#base/sizes.ts";
import type { Digest } from "#oci/digest.ts";
import { Fault } from "../fault.ts";
import { type BlobSource, blobHeaders } from "../handlers/blobs.ts";
import type { ManifestSource } from "../handlers/manifests.ts";
import type { TargetOf } from "../handlers/operation.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { requestedRange } from "../http/range.ts";
import type { ManifestKey } from "../http/target.ts";
import { readPushedManifest } from "../manifest-facts.ts";
import type { RepositoryName, Tag } from "../names.ts";
import { listLinks } from "../storage/links.ts";
import type { Storage } from "../storage/storage.ts";
import { Download } from "./download.ts";
import type { Upstream, UpstreamManifest } from "./upstream.ts";

export interface PullThroughOptions {
  readonly storage: Storage;
  readonly upstream: Upstream;
  readonly log: Logger;
  /** How long a tag is taken for what upstream said last. */
  readonly freshMs: number;
  readonly maxBlobBytes: number;
}

type TagKey = Extract<ManifestKey, { readonly by: "tag" }>;

export const DEFAULT_FRESH_MS = 60_000;
/** Upstream's answer about a manifest; blobs take as long as they take. */
const ANSWER_MS = 60_000;
const MAX_CHECKED = 10_000;

/**
 * Gets from another registry what is not here, and keeps it: tags are asked about again when they are no longer fresh,
 * what a digest names is asked for once. While upstream does not answer, what is here is served.
 */
export class PullThrough implements ManifestSource, BlobSource {
  readonly #options: PullThroughOptions;
  readonly #locks = new KeyedLock();
  /** When a tag was last asked about, by repository and tag. */
  readonly #checked = new Map<string, number>();
  readonly #downloads = new Map<Digest, Download>();

  constructor(options: PullThroughOptions) {
    this.#options = options;
  }

  async refresh(repository: RepositoryName, key: ManifestKey): Promise<void> {
    const { storage } = this.#options;
    const name = `${repository}@${key.by === "tag" ? key.tag : key.digest}`;
    await this.#locks.run(name, async () => {
      if (key.by === "tag") await this.#refreshIfStale(repository, key, name);
      else if (!(await storage.manifests.has(repository, key.digest))) {
        await this.#answered(() => this.#fetch(repository, key.digest, []));
      }
      const digest = await storage.manifests.find(repository, key);
      // marked as used
      if (digest !== undefined) await storage.manifests.renew(repository, digest);
    });
  }

  async blob({ repository, digest }: TargetOf<"blob">, exchange: Exchange): Promise<Answer | undefined> {
    const { layers } = this.#options.storage;
    const size = await this.#answered(() => this.#sizeOf(repository, digest));
    if (size === undefined) return undefined;
    if (size > this.#options.maxBlobBytes) {
      throw new Fault("DENIED", `the blob has ${humanSize(size)}, which is more than this cache keeps`);
    }
    // it may be here for another repository: that it is in this one is known by now
    const range = requestedRange(exchange.header("range"), size);
    const { start, end } = range ?? { start: 0, end: size - 1 };
    const isHere = await layers.mount(repository, digest);
    return {
      kind: "stream",
      status: range === undefined ? 200 : 206,
      headers: {
        ...blobHeaders(digest),
        "Content-Length": String(end - start + 1),
        ...(range !== undefined && { "Content-Range": `bytes ${start}-${end}/${size}` }),
      },
      send: async (write) => {
        const download = isHere ? undefined : await this.#download(repository, { digest, size });
        const chunks = download?.read({ start, end }) ?? this.#stored(digest, { start, end });
        for await (const chunk of chunks) await write(chunk);
      },
    };
  }

  async #refreshIfStale(repository: RepositoryName, key: TagKey, name: string): Promise<void> {
    const now = this.#options.storage.now();
    if (now - (this.#checked.get(name) ?? 0) < this.#options.freshMs) return;
    await this.#refreshTag(repository, key);
    this.#checked.set(name, now);
    const [oldest] = this.#checked.keys();
    if (this.#checked.size > MAX_CHECKED && oldest !== undefined) this.#checked.delete(oldest);
  }

  async #refreshTag(repository: RepositoryName, key: TagKey): Promise<void> {
    const { storage, upstream, log } = this.#options;
    const here = await storage.manifests.find(repository, key);
    try {
      const there = await upstream.findManifest(repository, key.tag, AbortSignal.timeout(ANSWER_MS));
      if (there === undefined) {
        if (here !== undefined) await storage.manifests.untag(repository, key.tag);
      } else if (there.digest !== here) await this.#fetch(repository, key.tag, [key.tag]);
    } catch (error) {
      if (here === undefined || !isOutOfReach(error)) throw asFault(error);
      log.warn("upstream does not answer: what is here is served", {
        repository,
        tag: key.tag,
        error: errorMessage(error),
      });
    }
  }

  async #fetch(repository: RepositoryName, reference: string, tags: readonly Tag[]): Promise<void> {
    const { storage, upstream } = this.#options;
    let found: UpstreamManifest;
    try {
      found = await upstream.manifest(repository, reference, AbortSignal.timeout(ANSWER_MS));
    } catch (error) {
      if (EngineError.is(error, "not-found")) return;
      throw error;
    }
    const { bytes, digest, mediaType } = found;
    const facts = readPushedManifest(bytes, mediaType);
    await storage.manifests.push({ repository, bytes, facts, digest, tags, isCached: true });
  }

  /** The size of a blob that the repository has upstream: as one of its manifests says, or upstream itself. */
  async #sizeOf(repository: RepositoryName, digest: Digest): Promise<number | undefined> {
    const { storage, upstream } = this.#options;
    for await (const revision of listLinks(storage.layout.revisions(repository))) {
      const parts = (await storage.reader.read(revision))?.facts?.blobs ?? [];
      const part = parts.find((one) => one.digest === digest);
      if (part !== undefined) return part.size;
    }
    return (await upstream.findBlob(repository, digest, AbortSignal.timeout(ANSWER_MS)))?.size;
  }

  /** The download of a blob, which all who want it share. */
  async #download(
    repository: RepositoryName,
    blob: { readonly digest: Digest; readonly size: number },
  ): Promise<Download> {
    const { storage, upstream } = this.#options;
    for (;;) {
      const running = this.#downloads.get(blob.digest);
      if (running === undefined) break;
      if (running.isOpen && running.size === blob.size) return running;
      await running.ended;
    }
    await storage.usage.admit(repository, blob.digest, blob.size);
    // another may have begun meanwhile
    if (this.#downloads.has(blob.digest)) return await this.#download(repository, blob);
    const download = new Download({
      blob,
      path: storage.layout.part(blob.digest),
      target: storage.blobs.path(blob.digest),
      fetch: (offset, signal) => upstream.blob(repository, blob, offset, signal),
      adopt: async (ingest) => {
        const isNew = await storage.blobs.adopt(ingest, blob.digest);
        await storage.layers.link(repository, blob.digest);
        storage.usage.added(repository, blob.digest, { size: blob.size, isNew });
      },
    });
    this.#downloads.set(blob.digest, download);
    void download.ended.then(() => this.#downloads.delete(blob.digest));
    return download;
  }

  async *#stored(
    digest: Digest,
    { start, end }: { readonly start: number; readonly end: number },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    await using open = await this.#options.storage.blobs.open(digest);
    if (open === undefined) throw new Error(`blob ${digest} has gone while it was asked for`);
    if (end >= start)
      yield* open.file.createReadStream({ start, end, autoClose: false }) as AsyncIterable<Uint8Array>;
  }

  async #answered<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asFault(error);
    }
  }
}

function isOutOfReach(error: unknown): boolean {
  return EngineError.is(error, "unavailable") || (error instanceof Error && error.name === "TimeoutError");
}

/** What upstream did wrong is told to our client as what it is: no answer, no right, or nonsense. */
function asFault(error: unknown): unknown {
  if (error instanceof Fault && error.code !== "MANIFEST_INVALID") return error;
  const cause = { cause: error };
  if (isOutOfReach(error))
    return new Fault("UNAVAILABLE", "upstream does not answer", { status: 503, ...cause });
  if (EngineError.is(error, "unauthorized") || EngineError.is(error, "forbidden")) {
    return new Fault("DENIED", "upstream does not let this registry in", cause);
  }
  const isNonsense =
    EngineError.is(error, "corrupt") || EngineError.is(error, "invalid") || error instanceof Fault;
  return isNonsense
    ? new Fault("UNAVAILABLE", "upstream sent something wrong", { status: 502, ...cause })
    : error;
}
