import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, rfc3339 } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import { KeyedLock } from "#base/lock.ts";
import { humanSize } from "#base/sizes.ts";
import { type Digest, Digester } from "#oci/digest.ts";
import { Ingest } from "#store/content/ingest.ts";
import { Fault } from "../fault.ts";
import type { ByteRange } from "../http/range.ts";
import { findUploadId, newUploadId, type RepositoryName, type UploadId } from "../names.ts";
import type { Blobs } from "./blobs.ts";
import type { Layers } from "./layers.ts";
import { FILE_MODE, type Layout } from "./layout.ts";
import { ensureFolder, ifPresent, namesIn } from "./links.ts";
import type { Usage } from "./usage.ts";

/** Bytes for an upload, and where the client says that they belong. */
export interface Chunk {
  readonly range?: ByteRange | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface UploadsOptions {
  readonly layout: Layout;
  readonly blobs: Blobs;
  readonly layers: Layers;
  readonly usage: Usage;
  readonly repositories: KeyedLock;
  readonly now: Clock;
  readonly maxBlobBytes: number;
}

interface Session {
  /** Has hashed what the file holds, as long as this process has seen all of it. */
  digester: Digester;
}

/** Sessions that this process has begun or gone on with; beyond it, the oldest is forgotten and read again if need be. */
const MAX_SESSIONS = 10_000;

/**
 * Blobs on their way in. A session lives on disk, so that it can be resumed after a cut and after a restart; what is in
 * memory only spares reading it again.
 */
export class Uploads {
  readonly #options: UploadsOptions;
  readonly #sessions = new Map<UploadId, Session>();
  readonly #locks = new KeyedLock();

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** Begins a session. `algorithm`: what its blob will be named by, when the client says so beforehand. */
  async start(repository: RepositoryName, algorithm: "sha256" | "sha512" = "sha256"): Promise<UploadId> {
    const id = newUploadId();
    const folder = this.#options.layout.upload(repository, id);
    await this.#options.repositories.run(repository, async () => {
      await ensureFolder(folder);
      await writeFile(join(folder, "startedat"), rfc3339(this.#options.now()), { mode: FILE_MODE });
      await writeFile(this.#data(repository, id), "", { mode: FILE_MODE, flag: "wx" });
    });
    this.#remember(id, { digester: new Digester(algorithm) });
    return id;
  }

  /** How many bytes have come. @throws {Fault} BLOB_UPLOAD_UNKNOWN */
  async offset(repository: RepositoryName, id: UploadId): Promise<number> {
    const found = await ifPresent(stat(this.#data(repository, id)));
    if (found === undefined)
      throw new Fault("BLOB_UPLOAD_UNKNOWN", `there is no upload ${id} in ${repository}`);
    return found.size;
  }

  /**
   * Adds the next bytes. Those that came before a cut stay.
   *
   * @returns how many there are now
   * @throws {Fault} RANGE_INVALID when the chunk is not the next one, SIZE_INVALID, DENIED
   */
  async append(repository: RepositoryName, id: UploadId, chunk: Chunk): Promise<number> {
    return await this.#locks.run(id, () =>
      this.#orDrop(repository, id, async () => {
        checkNext(chunk.range, await this.offset(repository, id));
        const seen = this.#sessions.get(id)?.digester;
        await using ingest = await Ingest.resume(this.#data(repository, id), {}, seen);
        this.#remember(id, { digester: ingest.digester });
        await this.#take({ repository, id, ingest }, chunk);
        return ingest.offset;
      }),
    );
  }

  /**
   * Ends a session with its last bytes, if any: the blob is verified, named, and given to the repository.
   *
   * @throws {Fault} DIGEST_INVALID, and the session is gone then; RANGE_INVALID, SIZE_INVALID, DENIED
   */
  async finish(
    repository: RepositoryName,
    id: UploadId,
    blob: Chunk & { readonly digest: Digest },
  ): Promise<void> {
    await this.#locks.run(id, async () => {
      checkNext(blob.range, await this.offset(repository, id));
      const stored = await this.#orDrop(repository, id, () => this.#adopt({ repository, id }, blob));
      await this.#options.layers.link(repository, blob.digest);
      this.#options.usage.added(repository, blob.digest, stored);
      await this.#drop(repository, id);
    });
  }

  /** @throws {Fault} BLOB_UPLOAD_UNKNOWN */
  async cancel(repository: RepositoryName, id: UploadId): Promise<void> {
    await this.#locks.run(id, async () => {
      await this.offset(repository, id);
      await this.#drop(repository, id);
    });
  }

  /** Removes the repository's sessions into which nothing has come since `before`. @returns how many */
  async expire(repository: RepositoryName, before: number): Promise<number> {
    let expired = 0;
    for (const name of await namesIn(this.#options.layout.uploads(repository))) {
      const id = findUploadId(name);
      if (id === undefined) continue;
      await this.#locks.run(id, async () => {
        const times = await Promise.all([
          ifPresent(stat(this.#data(repository, id))),
          ifPresent(stat(this.#options.layout.upload(repository, id))),
        ]);
        if (Math.max(...times.map((found) => found?.mtimeMs ?? 0)) >= before) return;
        await this.#drop(repository, id);
        expired++;
      });
    }
    return expired;
  }

  async #adopt(
    session: { readonly repository: RepositoryName; readonly id: UploadId },
    blob: Chunk & { readonly digest: Digest },
  ): Promise<{ readonly size: number; readonly isNew: boolean }> {
    const { repository, id } = session;
    const seen = this.#sessions.get(id)?.digester;
    const isUsable = seen !== undefined && seen.algorithm === blob.digest.split(":", 1)[0];
    // the digester is used up by the end of this, however it ends
    this.#sessions.delete(id);
    await using ingest = await Ingest.resume(
      this.#data(repository, id),
      { digest: blob.digest },
      isUsable ? seen : undefined,
    );
    await this.#take({ repository, id, ingest }, blob);
    try {
      return { size: ingest.offset, isNew: await this.#options.blobs.adopt(ingest, blob.digest) };
    } catch (error) {
      if (!EngineError.is(error, "corrupt")) throw error;
      throw new Fault("DIGEST_INVALID", error.message, { cause: error });
    }
  }

  /** An upload that cannot become a blob, however it goes on, makes room at once. */
  async #orDrop<T>(repository: RepositoryName, id: UploadId, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const isHopeless =
        error instanceof Fault &&
        (error.code === "DENIED" || error.code === "DIGEST_INVALID" || error.status === 413);
      if (isHopeless) await this.#drop(repository, id);
      throw error;
    }
  }

  async #take(
    { repository, id, ingest }: { repository: RepositoryName; id: UploadId; ingest: Ingest },
    { range, body }: Chunk,
  ): Promise<void> {
    const { usage, maxBlobBytes } = this.#options;
    const end = range === undefined ? undefined : range.end + 1;
    for await (const bytes of body) {
      const offset = ingest.offset + bytes.byteLength;
      if (offset > maxBlobBytes) {
        throw new Fault("SIZE_INVALID", `a blob has at most ${humanSize(maxBlobBytes)} here`, {
          status: 413,
        });
      }
      if (end !== undefined && offset > end) throw wrongLength(end);
      await usage.uploading(repository, id, offset);
      await ingest.append(bytes);
    }
    if (end !== undefined && ingest.offset !== end) throw wrongLength(end);
  }

  async #drop(repository: RepositoryName, id: UploadId): Promise<void> {
    this.#sessions.delete(id);
    this.#options.usage.uploaded(id);
    await rm(this.#options.layout.upload(repository, id), { recursive: true, force: true });
  }

  #remember(id: UploadId, session: Session): void {
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
  }

  #data(repository: RepositoryName, id: UploadId): string {
    return join(this.#options.layout.upload(repository, id), "data");
  }
}

function checkNext(range: ByteRange | undefined, offset: number): void {
  if (range === undefined || range.start === offset) return;
  throw new Fault("RANGE_INVALID", `the next chunk begins at byte ${offset}, not at ${range.start}`);
}

function wrongLength(end: number): Fault {
  return new Fault(
    "SIZE_INVALID",
    `the chunk is not as long as its Content-Range says: it ends at byte ${end - 1}`,
  );
}
