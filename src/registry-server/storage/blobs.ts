import { type FileHandle, open, readFile, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import { KeyedLock } from "#base/lock.ts";
import { type Digest, digesterFor, findDigest } from "#oci/digest.ts";
import type { Ingest } from "#store/content/ingest.ts";
import { ensureDurableFolder } from "#store/durable-file.ts";
import { FOLDER_MODE, type Layout } from "./layout.ts";
import { ifPresent, namesIn, removeLink, writeFileDurably } from "./links.ts";

export interface OpenBlob extends AsyncDisposable {
  readonly file: FileHandle;
  readonly size: number;
}

export interface ListedBlob {
  readonly digest: Digest;
  readonly size: number;
}

export interface BlobsOptions {
  readonly layout: Layout;
  readonly now: Clock;
  /** How long a promise holds at least. */
  readonly leaseMs: number;
}

/**
 * The blobs that all repositories share, by digest. What has a name here is whole and was verified.
 *
 * Whenever a client is told that a blob is there (it was asked for, stored, mounted, or named by a manifest) that is a
 * promise that it stays long enough for the manifest to follow. The promise is the file's time of change, so that it
 * outlives the process. A collection removes a blob only under its lock, and only when no promise holds.
 */
export class Blobs {
  readonly #layout: Layout;
  readonly #now: Clock;
  readonly #renewAfterMs: number;
  readonly #locks = new KeyedLock();

  constructor({ layout, now, leaseMs }: BlobsOptions) {
    this.#layout = layout;
    this.#now = now;
    this.#renewAfterMs = leaseMs / 4;
  }

  /** Where the blob lies, or would lie. */
  path(digest: Digest): string {
    return this.#layout.blob(digest);
  }

  async size(digest: Digest): Promise<number | undefined> {
    return (await ifPresent(stat(this.path(digest))))?.size;
  }

  /** The size of a blob, which stays for now; `undefined` when there is none. */
  async promise(digest: Digest): Promise<number | undefined> {
    return await this.#locks.run(digest, async () => {
      const found = await ifPresent(stat(this.path(digest)));
      if (found === undefined) return undefined;
      const now = this.#now();
      if (now - found.mtimeMs > this.#renewAfterMs) {
        await utimes(this.path(digest), new Date(now), new Date(now));
      }
      return found.size;
    });
  }

  async open(digest: Digest): Promise<OpenBlob | undefined> {
    const file = await ifPresent(open(this.path(digest), "r"));
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      return { file, size, [Symbol.asyncDispose]: () => file.close() };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A whole blob, verified again. @throws {EngineError} corrupt when the disk lost its bytes, invalid when too large */
  async readBytes(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    const size = await this.size(digest);
    if (size === undefined) return undefined;
    if (size > maxBytes) {
      throw new EngineError("invalid", `Cannot read blob ${digest}: ${size} bytes are more than ${maxBytes}`);
    }
    const bytes = await readFile(this.path(digest));
    const digester = digesterFor(digest);
    digester.update(bytes);
    const found = digester.digest();
    if (found === digest) return bytes;
    throw new EngineError("corrupt", `Cannot read blob ${digest}: the stored bytes have the digest ${found}`);
  }

  /** Stores bytes whose digest the caller has computed. @returns false when they were there already */
  async writeBytes(bytes: Uint8Array, digest: Digest): Promise<boolean> {
    if ((await this.promise(digest)) !== undefined) return false;
    return await this.#locks.run(digest, async () => {
      await writeFileDurably(this.path(digest), bytes, this.#layout.aside);
      return true;
    });
  }

  /**
   * Verifies an upload and gives it its name. An equal blob that is there already is replaced, so that nobody comes to
   * own a blob by its digest alone.
   *
   * @returns false when the blob was there already
   * @throws {EngineError} corrupt when its bytes are not what `digest` says
   */
  async adopt(ingest: Ingest, digest: Digest): Promise<boolean> {
    return await this.#locks.run(digest, async () => {
      const isNew = (await this.size(digest)) === undefined;
      await ensureDurableFolder(dirname(this.path(digest)), FOLDER_MODE);
      await ingest.commit(() => this.path(digest));
      return isNew;
    });
  }

  /**
   * Removes a blob unless it was promised after `before`.
   *
   * @returns its size when it was removed
   */
  async sweep(digest: Digest, before: number): Promise<number | undefined> {
    return await this.#locks.run(digest, async () => {
      const found = await ifPresent(stat(this.path(digest)));
      if (found === undefined || found.mtimeMs >= before) return undefined;
      await removeLink(this.path(digest));
      return found.size;
    });
  }

  /** True when the blob is there and was promised after `before`. */
  async isPromised(digest: Digest, before: number): Promise<boolean> {
    const found = await ifPresent(stat(this.path(digest)));
    return found !== undefined && found.mtimeMs >= before;
  }

  /** Every blob, in no order. */
  async *list(): AsyncGenerator<ListedBlob, void, undefined> {
    for (const algorithm of await namesIn(this.#layout.blobs)) {
      for (const beginning of await namesIn(join(this.#layout.blobs, algorithm))) {
        for (const hex of await namesIn(join(this.#layout.blobs, algorithm, beginning))) {
          const digest = findDigest(`${algorithm}:${hex}`);
          const size = digest === undefined ? undefined : await this.size(digest);
          if (digest !== undefined && size !== undefined) yield { digest, size };
        }
      }
    }
  }
}
