import { type FileHandle, open, stat } from "node:fs/promises";
import { EngineError, isErrno } from "#base/errors.ts";
import { FileChanges } from "./file-changes.ts";
import { type LogRecord, type LogStream, parseRecord } from "./log-record.ts";
import { findTail, type TailStart } from "./log-tail.ts";

export interface LogQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Epoch nanoseconds, both included. */
  readonly sinceNs?: bigint;
  readonly untilNs?: bigint;
  /** The last so many lines of what the rest asks for; all when absent. */
  readonly tail?: number;
}

export interface FollowOptions {
  /** Resolves when no more will be written. */
  readonly ended: Promise<void>;
}

/** A record that was asked for, and whether a line begins with it. */
export interface LogPiece extends LogRecord {
  readonly startsLine: boolean;
}

const BLOCK_BYTES = 64 * 1024;
/** conmon writes records of some 8 KiB at most; more than this without a newline is no log. */
const LONGEST_RECORD = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Reads a container's log, in batches as they come from the disk; a line that is longer than a record comes in pieces.
 * With `follow`, goes on with what is written until the log has ended and all of it was read. A log that does not exist
 * is empty.
 *
 * @throws {EngineError} corrupt when the file is not a log
 */
export async function* readLog(
  path: string,
  query: LogQuery,
  follow: FollowOptions | undefined,
  signal: AbortSignal,
): AsyncGenerator<readonly LogPiece[]> {
  using changes = follow && new FileChanges(path);
  const selection = new Selection(query);
  const end = { isOver: false };
  void follow?.ended.then(() => {
    end.isOver = true;
    changes?.wake();
  });
  let segment: Segment | undefined;
  let from: TailStart | undefined;
  try {
    for (;;) {
      signal.throwIfAborted();
      // What is true before the read still holds after it: everything was written by then.
      const isLast = follow === undefined || end.isOver || selection.isPast(BigInt(Date.now()) * 1_000_000n);
      segment ??= await Segment.find(path);
      if (segment === undefined) from = WHOLE;
      else if (from === undefined) from = await segment.tailStart(query, selection);
      if (segment) yield* segment.readOn(selection, from);
      if (selection.isDone) return;
      if (await segment?.wasReplaced(path)) {
        await segment?.[Symbol.asyncDispose]();
        segment = undefined;
        from = WHOLE;
        continue;
      }
      if (isLast || changes === undefined) return;
      await changes.next(selection.msLeft(), signal);
    }
  } finally {
    await segment?.[Symbol.asyncDispose]();
  }
}

const WHOLE: TailStart = { stdout: 0, stderr: 0 };

/** What is asked for, and where in a line each stream is. */
class Selection {
  readonly #query: LogQuery;
  readonly #isMidLine: Record<LogStream, boolean> = { stdout: false, stderr: false };
  isDone = false;

  constructor(query: LogQuery) {
    this.#query = query;
    if (query.tail === 0 && query.untilNs !== undefined) this.isDone = true;
  }

  counts(record: LogRecord): boolean {
    return this.#query[record.stream] && !this.isBefore(record) && !this.isPast(record.timeNs);
  }

  isBefore({ timeNs }: LogRecord): boolean {
    return this.#query.sinceNs !== undefined && timeNs < this.#query.sinceNs;
  }

  isPast(timeNs: bigint): boolean {
    return this.#query.untilNs !== undefined && timeNs > this.#query.untilNs;
  }

  /** How long something that is asked for may still be written. */
  msLeft(): number | undefined {
    if (this.#query.untilNs === undefined) return undefined;
    return Math.max(0, Number(this.#query.untilNs / 1_000_000n) - Date.now() + 1);
  }

  take(record: LogRecord): LogPiece | undefined {
    if (this.isPast(record.timeNs)) this.isDone = true;
    if (!this.counts(record)) return undefined;
    const startsLine = !this.#isMidLine[record.stream];
    this.#isMidLine[record.stream] = !record.endsLine;
    return { ...record, startsLine };
  }
}

/** One file of a log, and how far it was read. */
class Segment implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #inode: number;
  #offset = 0;
  #rest: Uint8Array = new Uint8Array(0);

  private constructor(file: FileHandle, inode: number) {
    this.#file = file;
    this.#inode = inode;
  }

  static async find(path: string): Promise<Segment | undefined> {
    try {
      const file = await open(path, "r");
      return new Segment(file, (await file.stat()).ino);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async tailStart(query: LogQuery, selection: Selection): Promise<TailStart> {
    if (query.tail === undefined) return WHOLE;
    const { size } = await this.#file.stat();
    const start = await findTail(this.#file, size, query.tail, selection);
    this.#offset = Math.min(start.stdout, start.stderr);
    // Nothing stored is asked for, and the rest of a record that is just being written is.
    if (this.#offset === size) this.#offset = await this.#lastRecordEnd(size);
    return start;
  }

  /** Yields what is asked for, up to the present end of the file. */
  async *readOn(selection: Selection, from: TailStart): AsyncGenerator<readonly LogPiece[]> {
    for (;;) {
      const block = new Uint8Array(BLOCK_BYTES);
      const { bytesRead } = await this.#file.read(block, 0, BLOCK_BYTES, this.#offset);
      if (bytesRead === 0) return;
      const fresh = block.subarray(0, bytesRead);
      const bytes = this.#rest.byteLength === 0 ? fresh : Buffer.concat([this.#rest, fresh]);
      const pieces = this.#split(bytes, this.#offset - this.#rest.byteLength, selection, from);
      this.#offset += bytesRead;
      if (pieces.length > 0) yield pieces;
      if (selection.isDone) return;
    }
  }

  /** True when another file has taken the name: the log was rotated. */
  async wasReplaced(path: string): Promise<boolean> {
    try {
      return (await stat(path)).ino !== this.#inode;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return false;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  #split(bytes: Uint8Array, offset: number, selection: Selection, from: TailStart): LogPiece[] {
    const pieces: LogPiece[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const record = parseRecord(bytes.subarray(start, end + 1));
      const piece = offset + start >= from[record.stream] ? selection.take(record) : undefined;
      if (piece) pieces.push(piece);
      start = end + 1;
      if (selection.isDone) break;
    }
    this.#rest = bytes.slice(start);
    if (this.#rest.byteLength > LONGEST_RECORD) {
      throw new EngineError("corrupt", `Cannot read log: ${this.#rest.byteLength} bytes without a newline`);
    }
    return pieces;
  }

  async #lastRecordEnd(size: number): Promise<number> {
    const length = Math.min(size, BLOCK_BYTES);
    const block = new Uint8Array(length);
    await this.#file.read(block, 0, length, size - length);
    return size - length + block.lastIndexOf(NEWLINE) + 1;
  }
}
