import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { newId } from "#base/ids.ts";

/** What is kept in memory before a file is begun: most contexts are small, and then there is none. */
const MEMORY_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 256 * 1024;

/** Where in a spool some bytes lie. */
export interface Extent {
  readonly offset: number;
  readonly size: number;
}

/**
 * Bytes that are written once, one run after another, and read at any place. The file that takes them, when they are
 * many, has no name: it is gone with this process, however that ends.
 */
export class Spool implements AsyncDisposable {
  readonly #folder: string;
  readonly #chunks: Uint8Array[] = [];
  readonly #starts: number[] = [];
  #size = 0;
  #file: FileHandle | undefined;

  /** @param folder where the file is made, if one is needed */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The end: where the next bytes will lie. */
  get size(): number {
    return this.#size;
  }

  /** Copies `chunk`. */
  async append(chunk: Uint8Array): Promise<void> {
    if (this.#file === undefined && this.#size + chunk.byteLength > MEMORY_BYTES) await this.#toFile();
    if (this.#file === undefined) {
      this.#starts.push(this.#size);
      this.#chunks.push(chunk.slice());
    } else await writeAll(this.#file, chunk, this.#size);
    this.#size += chunk.byteLength;
  }

  async *read({ offset, size }: Extent): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#file !== undefined) return yield* readFile(this.#file, { offset, size });
    const end = offset + size;
    for (let index = this.#chunkAt(offset); index < this.#chunks.length; index++) {
      const start = this.#starts[index] ?? 0;
      const chunk = this.#chunks[index];
      if (chunk === undefined || start >= end) return;
      const part = chunk.subarray(Math.max(0, offset - start), end - start);
      if (part.byteLength > 0) yield part;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    this.#chunks.length = 0;
  }

  /** The last chunk that begins at `offset` or before. */
  #chunkAt(offset: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async #toFile(): Promise<void> {
    const path = join(this.#folder, `spool-${newId()}`);
    const file = await open(path, "wx+", 0o600);
    await rm(path);
    this.#file = file;
    let position = 0;
    for (const chunk of this.#chunks) {
      await writeAll(file, chunk, position);
      position += chunk.byteLength;
    }
    this.#chunks.length = 0;
    this.#starts.length = 0;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.byteLength) {
    const { bytesWritten } = await file.write(bytes, written, bytes.byteLength - written, position + written);
    written += bytesWritten;
  }
}

async function* readFile(
  file: FileHandle,
  { offset, size }: Extent,
): AsyncGenerator<Uint8Array, void, undefined> {
  let position = offset;
  const end = offset + size;
  while (position < end) {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, position);
    if (bytesRead === 0) throw new Error(`a spooled file ended at ${position}, ${end} bytes were written`);
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
