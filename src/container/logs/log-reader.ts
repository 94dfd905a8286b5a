import { setImmediate as immediate } from "node:timers/promises";
import { EngineError } from "#base/errors.ts";
import { FileChanges } from "./file-changes.ts";
import { type LogRecord, type LogStream, parseRecord } from "./log-record.ts";
import { inodeAt, type OpenSegment, openSegments } from "./log-segments.ts";
import { findTail, isEarlier, type LogPosition, type TailStart } from "./log-tail.ts";

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
export interface LogPiece {
  readonly stream: LogStream;
  readonly data: Uint8Array;
  readonly startsLine: boolean;
  /** With the time it was written. */
  readonly record: LogRecord;
}

const BLOCK_BYTES = 256 * 1024;
/** conmon writes records of some 8 KiB at most; more than this without a newline is no log. */
const LONGEST_RECORD = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Reads a container's log, in batches as they come from the disk: all its segments, across rotations that happen
 * meanwhile. A line that is longer than a record comes in pieces. With `follow`, goes on with what is written until the
 * log has ended and all of it was read. A log that does not exist is empty.
 *
 * @throws {EngineError} corrupt when a file is not a log
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
  let isFirst = true;
  let read = 0;
  for (;;) {
    await using row = await SegmentRow.open(path, { after: read, isStill: follow === undefined });
    if (isFirst && query.tail !== undefined) await row.skipToTail(query.tail, selection);
    isFirst = false;
    yield* row.readComplete(selection, signal);
    for (;;) {
      signal.throwIfAborted();
      if (selection.isDone) return;
      // What is true before the read still holds after it: everything was written by then.
      const isLast =
        follow === undefined || end.isOver || selection.isPast({ timeNs: BigInt(Date.now()) * 1_000_000n });
      const wasReplaced = row.wasReplaced(path);
      yield* row.readLast(selection, signal);
      if (selection.isDone || follow === undefined) return;
      if (wasReplaced) break;
      if (isLast || changes === undefined) return;
      await changes.next(selection.msLeft(), signal);
    }
    read = row.number;
  }
}

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
    return this.#query[record.stream] && !this.isBefore(record) && !this.isPast(record);
  }

  isBefore(record: LogRecord): boolean {
    return this.#query.sinceNs !== undefined && record.timeNs < this.#query.sinceNs;
  }

  isPast(moment: { readonly timeNs: bigint }): boolean {
    return this.#query.untilNs !== undefined && moment.timeNs > this.#query.untilNs;
  }

  /** How long something that is asked for may still be written. */
  msLeft(): number | undefined {
    if (this.#query.untilNs === undefined) return undefined;
    return Math.max(0, Number(this.#query.untilNs / 1_000_000n) - Date.now() + 1);
  }

  take(record: LogRecord): LogPiece | undefined {
    if (this.isPast(record)) this.isDone = true;
    if (!this.counts(record)) return undefined;
    const { stream, data } = record;
    const startsLine = !this.#isMidLine[stream];
    this.#isMidLine[stream] = !record.endsLine;
    return { stream, data, startsLine, record };
  }
}

/** Segments that were opened together; the last is the one being written. */
class SegmentRow implements AsyncDisposable {
  readonly #segments: readonly OpenSegment[];
  readonly #after: number;
  /** How far the last is read; what is written faster than it is read would have no end. */
  readonly #end: number;
  #start: TailStart = { stdout: BEGINNING, stderr: BEGINNING };
  #last: Cursor | undefined;

  private constructor(segments: readonly OpenSegment[], { after, end }: { after: number; end: number }) {
    this.#segments = segments;
    this.#after = after;
    this.#end = end;
  }

  /** `isStill`: what is written from now on is left out. */
  static async open(
    path: string,
    { after, isStill }: { after: number; isStill: boolean },
  ): Promise<SegmentRow> {
    const segments = await openSegments(path, after);
    const last = isStill ? segments.at(-1) : undefined;
    return new SegmentRow(segments, { after, end: (await last?.size()) ?? Infinity });
  }

  /** Of the last. */
  get number(): number {
    return this.#segments.at(-1)?.number ?? this.#after;
  }

  async skipToTail(lines: number, selection: Selection): Promise<void> {
    this.#start = await findTail(this.#segments, lines, selection);
  }

  /** What is asked for of all but the last. */
  async *readComplete(selection: Selection, signal: AbortSignal): AsyncGenerator<readonly LogPiece[]> {
    for (const index of this.#segments.keys()) {
      if (selection.isDone || index === this.#segments.length - 1) return;
      yield* this.#cursor(index)?.readOn(selection, signal) ?? [];
    }
  }

  /** What is asked for and new in the last one, up to its present end. */
  async *readLast(selection: Selection, signal: AbortSignal): AsyncGenerator<readonly LogPiece[]> {
    this.#last ??= this.#cursor(this.#segments.length - 1);
    if (this.#last) yield* this.#last.readOn(selection, signal);
  }

  /** True when another file has the name of the one being written: the log was rotated, or there is one by now. */
  wasReplaced(path: string): boolean {
    const inode = inodeAt(path);
    return inode !== undefined && inode !== this.#segments.at(-1)?.inode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const segment of this.#segments) await segment[Symbol.asyncDispose]();
  }

  /** `undefined` for a segment of which nothing is asked. */
  #cursor(index: number): Cursor | undefined {
    const { stdout, stderr } = this.#start;
    const first = isEarlier(stdout, stderr) ? stdout : stderr;
    const segment = this.#segments[index];
    if (segment === undefined || index < first.index) return undefined;
    const from = { stdout: offsetIn(index, stdout), stderr: offsetIn(index, stderr) };
    return new Cursor(segment, { from, end: index === this.#segments.length - 1 ? this.#end : Infinity });
  }
}

const BEGINNING: LogPosition = { index: 0, offset: 0 };

/** Where a position lies for one segment of the row. */
function offsetIn(index: number, position: LogPosition): number {
  if (index === position.index) return position.offset;
  return index < position.index ? Infinity : 0;
}

/** How far one segment was read. */
class Cursor {
  readonly #segment: OpenSegment;
  /** From where on each stream's records are asked for. */
  readonly #from: Readonly<Record<LogStream, number>>;
  readonly #end: number;
  #offset: number;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(
    segment: OpenSegment,
    { from, end }: { from: Readonly<Record<LogStream, number>>; end: number },
  ) {
    this.#segment = segment;
    this.#from = from;
    this.#end = end;
    this.#offset = Math.min(from.stdout, from.stderr);
  }

  /** Yields what is asked for, up to the present end of the file. */
  async *readOn(selection: Selection, signal: AbortSignal): AsyncGenerator<readonly LogPiece[]> {
    const file = await this.#segment.text();
    for (;;) {
      signal.throwIfAborted();
      const length = Math.min(BLOCK_BYTES, this.#end - this.#offset);
      if (length <= 0) return;
      const block = new Uint8Array(length);
      const { bytesRead } = await file.read(block, 0, length, this.#offset);
      if (bytesRead === 0) return;
      const fresh = block.subarray(0, bytesRead);
      const bytes = this.#rest.byteLength === 0 ? fresh : Buffer.concat([this.#rest, fresh]);
      const pieces = this.#split(bytes, this.#offset - this.#rest.byteLength, selection);
      this.#offset += bytesRead;
      if (pieces.length > 0) yield pieces;
      if (selection.isDone) return;
      // Answers of the disk alone keep the loop from its timers: rotation among them.
      await immediate();
    }
  }

  #split(bytes: Uint8Array, offset: number, selection: Selection): LogPiece[] {
    const pieces: LogPiece[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const record = parseRecord(bytes.subarray(start, end + 1));
      const piece = offset + start >= this.#from[record.stream] ? selection.take(record) : undefined;
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
}
