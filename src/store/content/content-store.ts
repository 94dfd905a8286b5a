import { createHash, randomBytes } from "node:crypto";
import { open, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import { KeyedLock } from "#base/lock.ts";
import { type Digest, digestHex, digestOf, findDigest } from "#oci/digest.ts";
import { ensurePrivateDirectory } from "../private-directory.ts";
import { type Expected, Ingest, type Stored } from "./ingest.ts";

/*
 *   blobs/<algorithm>/<hex>      whole and verified, read-only
 *   ingest/<random>.new          being written; worthless after a crash
 *   ingest/<algorithm>-<hex>.part    may be resumed
 */

export type { Expected, Stored } from "./ingest.ts";

/** A download in parts. Disposing it without `commit` keeps what came, for the next `resume`. */
export interface ResumableIngest extends AsyncDisposable {
  /** Bytes that are there already: ask the source for what follows. */
  readonly offset: number;
  append(chunk: Uint8Array): Promise<void>;
  /** @throws {EngineError} corrupt when bytes are missing (they may still come) or wrong (all are dropped) */
  commit(): Promise<void>;
}

const READ_BYTES = 512 * 1024;
/** A part that nobody has come back to for so long is dropped at start. */
const PART_LIFE_MS = 7 * 24 * 60 * 60 * 1000;

/** Blobs by digest. What has a name here is whole, verified and never changes. */
export class ContentStore {
  readonly #root: string;
  readonly #parts = new KeyedLock();

  private constructor(root: string) {
    this.#root = root;
  }

  /** Opens the store in the folder `root`, making it when it is not there. */
  static async open(root: string): Promise<ContentStore> {
    ensurePrivateDirectory(root);
    ensurePrivateDirectory(join(root, "blobs", "sha256"));
    ensurePrivateDirectory(join(root, "ingest"));
    return new ContentStore(root);
  }

  /** Where the blob lies, or would lie. For readers that need a file; nobody writes there. */
  path(digest: Digest): string {
    return join(this.#root, "blobs", algorithmOf(digest), digestHex(digest));
  }

  async find(digest: Digest): Promise<{ readonly size: number } | undefined> {
    try {
      const { size } = await stat(this.path(digest));
      return { size };
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /**
   * A whole blob, verified again.
   *
   * @throws {EngineError} not-found; invalid when it is larger than `maxBytes`; corrupt when the disk lost its bytes
   */
  async readBytes(digest: Digest, maxBytes: number): Promise<Uint8Array> {
    const { size } = await this.#get(digest);
    if (size > maxBytes) {
      throw new EngineError("invalid", `Cannot read blob ${digest}: ${size} bytes are more than ${maxBytes}`);
    }
    const bytes = await readFile(this.path(digest));
    const found = createHash(algorithmOf(digest)).update(bytes).digest("hex");
    if (found !== digestHex(digest)) {
      throw new EngineError(
        "corrupt",
        `Cannot read blob ${digest}: the stored bytes have the digest ${found}`,
        {
          hint: "remove the image and pull it again",
        },
      );
    }
    return bytes;
  }

  /** The bytes of a blob from `start` on. @throws {EngineError} not-found */
  async *read(digest: Digest, start = 0): AsyncGenerator<Uint8Array, void, undefined> {
    await this.#get(digest);
    await using file = await open(this.path(digest), "r");
    for (let position = start; ; ) {
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  /**
   * Stores `source`. A blob already present is success; `source` is then closed unread.
   *
   * @throws {EngineError} corrupt when the bytes are not as `expected`; nothing is left behind
   */
  async write(source: AsyncIterable<Uint8Array>, expected: Expected, signal: AbortSignal): Promise<Stored> {
    const present = expected.digest === undefined ? undefined : await this.#reuse(expected.digest, expected);
    if (present !== undefined) {
      await source[Symbol.asyncIterator]().return?.();
      return present;
    }
    await using ingest = await Ingest.create(this.#newPath(), expected);
    for await (const chunk of source) {
      signal.throwIfAborted();
      await ingest.append(chunk);
    }
    signal.throwIfAborted();
    return await ingest.commit((digest) => this.path(digest));
  }

  /** Stores bytes that are in memory, named by their sha256. */
  async writeBytes(bytes: Uint8Array): Promise<Stored> {
    const present = await this.#reuse(digestOf(bytes), {});
    if (present !== undefined) return present;
    await using ingest = await Ingest.create(this.#newPath(), {});
    await ingest.append(bytes);
    return await ingest.commit((digest) => this.path(digest));
  }

  /** Starts or continues a blob whose digest and size are known. A second caller for the same blob waits for the first. */
  async resume(expected: Required<Expected>): Promise<ResumableIngest> {
    const path = join(
      this.#root,
      "ingest",
      `${algorithmOf(expected.digest)}-${digestHex(expected.digest)}.part`,
    );
    await using resources = new AsyncDisposableStack();
    resources.use(await this.#parts.acquire(expected.digest));
    const part = await stat(path).catch(ignoreMissing);
    if (part !== undefined && part.size > expected.size) await rm(path);
    const ingest = resources.use(await Ingest.resume(path, expected));
    const held = resources.move();
    return {
      get offset() {
        return ingest.offset;
      },
      append: (chunk) => ingest.append(chunk),
      commit: async () => {
        await ingest.commit((digest) => this.path(digest));
      },
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    };
  }

  /** Success when it is gone already. */
  async remove(digest: Digest): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** Every blob, in no order; `modifiedAt` is when it was last asked to be stored, epoch milliseconds. */
  async *list(): AsyncGenerator<Stored & { readonly modifiedAt: number }, void, undefined> {
    for (const algorithm of await readdir(join(this.#root, "blobs"))) {
      for (const hex of await readdir(join(this.#root, "blobs", algorithm))) {
        const digest = findDigest(`${algorithm}:${hex}`);
        if (digest === undefined) continue;
        const found = await stat(this.path(digest)).catch(ignoreMissing);
        if (found !== undefined) yield { digest, size: found.size, modifiedAt: Math.round(found.mtimeMs) };
      }
    }
  }

  /** At start: removes what a dead engine was writing, but keeps parts that may still be resumed. */
  async recover(): Promise<void> {
    const ingests = join(this.#root, "ingest");
    for (const name of await readdir(ingests)) {
      const path = join(ingests, name);
      const isFresh = async (): Promise<boolean> => (await stat(path)).mtimeMs > Date.now() - PART_LIFE_MS;
      if (!name.endsWith(".part") || !(await isFresh())) await rm(path, { recursive: true, force: true });
    }
  }

  async #get(digest: Digest): Promise<{ readonly size: number }> {
    const found = await this.find(digest);
    if (found === undefined)
      throw new EngineError("not-found", `Cannot read blob ${digest}: it is not in the store`);
    return found;
  }

  /** A present blob, marked as wanted now, so that a collection under way does not take it for an old one. */
  async #reuse(digest: Digest, expected: Expected): Promise<Stored | undefined> {
    const found = await this.find(digest);
    if (found === undefined) return undefined;
    if (expected.size !== undefined && expected.size !== found.size) {
      throw new EngineError(
        "corrupt",
        `Cannot store blob ${digest}: it has ${found.size} bytes, ${expected.size} were expected`,
      );
    }
    const now = new Date();
    await utimes(this.path(digest), now, now);
    return { digest, size: found.size };
  }

  #newPath(): string {
    return join(this.#root, "ingest", `${randomBytes(8).toString("hex")}.new`);
  }
}

function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":"));
}

function ignoreMissing(error: unknown): undefined {
  if (!isErrno(error, "ENOENT")) throw error;
}
