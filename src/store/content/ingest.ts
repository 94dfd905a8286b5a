import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import { type Digest, Digester, digesterFor } from "#oci/digest.ts";
import { syncFolder } from "../durable-file.ts";
import { ensurePrivateDirectory } from "../private-directory.ts";

/** What the bytes of a blob must turn out to be. */
export interface Expected {
  readonly digest?: Digest;
  readonly size?: number;
}

export interface Stored {
  readonly digest: Digest;
  readonly size: number;
}

const BUFFER_BYTES = 1024 * 1024;
/** So much is handed to the disk while more comes, so that little is left to wait for at the end. */
const WRITE_BACK_BYTES = 16 * 1024 * 1024;
const READ_ONLY = 0o444;

/**
 * A blob being written. Bytes are hashed as they come and gathered into large writes; `commit` verifies, makes them
 * durable and gives them their name. Leaving its scope without `commit` removes the file, or keeps it when it is to be
 * resumed.
 */
export class Ingest implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #expected: Expected;
  #digester: Digester;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;
  #unsynced = 0;
  #syncing: Promise<void> | undefined;
  /** Of writing back. The kernel tells it once: a later flush would not know. */
  #failure: unknown;
  #isKept: boolean;
  #isOpen = true;

  private constructor(path: string, file: FileHandle, options: { expected: Expected; isKept: boolean }) {
    this.#path = path;
    this.#file = file;
    this.#expected = options.expected;
    this.#digester =
      options.expected.digest === undefined ? new Digester() : digesterFor(options.expected.digest);
    this.#isKept = options.isKept;
  }

  /** A new file, which must not exist yet. */
  static async create(path: string, expected: Expected): Promise<Ingest> {
    return new Ingest(path, await open(path, "wx", 0o600), { expected, isKept: false });
  }

  /**
   * Goes on where an earlier ingest of the same blob stopped. What is there is read again for its hash, unless `seen`
   * has hashed exactly that; `seen` then goes on with what is appended.
   */
  static async resume(path: string, expected: Expected, seen?: Digester): Promise<Ingest> {
    const file = await open(path, "a+", 0o600);
    const ingest = new Ingest(path, file, { expected, isKept: true });
    try {
      if (seen !== undefined && seen.size === (await file.stat()).size) ingest.#digester = seen;
      else await ingest.#rehash();
    } catch (error) {
      await ingest[Symbol.asyncDispose]();
      throw error;
    }
    return ingest;
  }

  /** What has hashed the bytes taken so far; for a later `resume`. */
  get digester(): Digester {
    return this.#digester;
  }

  /** Bytes taken so far. */
  get offset(): number {
    return this.#digester.size;
  }

  /** Bytes that are in the file, for who reads it meanwhile; the rest of `offset` is gathered still. */
  get written(): number {
    return this.offset - this.#buffered;
  }

  /** Takes the next bytes; they are copied, the caller may reuse them. @throws {EngineError} corrupt when they are too many */
  async append(chunk: Uint8Array): Promise<void> {
    this.#digester.update(chunk);
    const { size } = this.#expected;
    if (size !== undefined && this.offset > size) {
      this.#isKept = false;
      throw this.#refusal(`it is longer than the ${size} bytes expected`);
    }
    for (let offset = 0; offset < chunk.length; ) {
      const length = Math.min(chunk.length - offset, BUFFER_BYTES - this.#buffered);
      this.#buffer.set(chunk.subarray(offset, offset + length), this.#buffered);
      this.#buffered += length;
      offset += length;
      if (this.#buffered === BUFFER_BYTES) await this.#flush();
    }
  }

  /**
   * Durable before visible: verify, flush the bytes, rename to what `target` says for the digest, flush the folder.
   *
   * @throws {EngineError} corrupt when size or digest differ; wrong bytes are then removed
   */
  async commit(target: (digest: Digest) => string): Promise<Stored> {
    await this.#flush();
    const { size, digest: wanted } = this.#expected;
    if (size !== undefined && this.offset !== size) {
      throw this.#refusal(`it has ${this.offset} bytes, ${size} were expected`);
    }
    const digest = this.#digester.digest();
    if (wanted !== undefined && digest !== wanted) {
      this.#isKept = false;
      throw this.#refusal(`its bytes have the digest ${digest}`);
    }
    await this.#file.chmod(READ_ONLY);
    // The kernel's own stamp lags behind the clock that leases are measured by.
    const now = new Date();
    await this.#file.utimes(now, now);
    await this.#syncing;
    if (this.#failure !== undefined) throw this.#failure;
    await this.#file.sync();
    await this.#close();
    const path = target(digest);
    ensurePrivateDirectory(dirname(path));
    await rename(this.#path, path);
    await syncFolder(dirname(path));
    return { digest, size: this.offset };
  }

  /** Closes the file; removes it unless it was committed, or is whole as far as it goes and may be resumed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    try {
      if (this.#isKept) await this.#flush();
    } finally {
      await this.#close();
      if (!this.#isKept) await rm(this.#path, { force: true });
    }
  }

  /** Begins to make durable what came so far. `commit` makes sure of all of it. */
  #writeBack(): void {
    if (this.#syncing !== undefined || this.#unsynced < WRITE_BACK_BYTES) return;
    this.#unsynced = 0;
    this.#syncing = this.#file
      .datasync()
      .catch((error: unknown) => void (this.#failure ??= error))
      .finally(() => void (this.#syncing = undefined));
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#syncing;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    let offset = 0;
    try {
      while (offset < this.#buffered) {
        const { bytesWritten } = await this.#file.write(this.#buffer, offset, this.#buffered - offset);
        offset += bytesWritten;
      }
      this.#unsynced += this.#buffered;
      this.#buffered = 0;
      this.#writeBack();
    } catch (error) {
      this.#isKept = false;
      if (!isErrno(error, "ENOSPC", "EDQUOT")) throw error;
      throw new EngineError("unavailable", `Cannot store blob ${this.#name()}: the disk is full`, {
        cause: error,
        hint: `free space on the disk that holds ${dirname(this.#path)}`,
      });
    }
  }

  async #rehash(): Promise<void> {
    for (;;) {
      const { bytesRead } = await this.#file.read(this.#buffer, 0, BUFFER_BYTES, this.offset);
      if (bytesRead === 0) return;
      this.#digester.update(this.#buffer.subarray(0, bytesRead));
    }
  }

  #name(): string {
    return this.#expected.digest ?? "without known digest";
  }

  #refusal(found: string): EngineError {
    return new EngineError("corrupt", `Cannot store blob ${this.#name()}: ${found}`);
  }
}
