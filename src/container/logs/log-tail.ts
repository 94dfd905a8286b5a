import type { FileHandle } from "node:fs/promises";
import { type LogRecord, type LogStream, parseRecord } from "./log-record.ts";

const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** A place in a row of segments. */
export interface LogPosition {
  /** Which of the row. */
  readonly index: number;
  readonly offset: number;
}

/** From where on the records of each stream belong to the answer. */
export type TailStart = Readonly<Record<LogStream, LogPosition>>;

/** What the search needs of a segment. */
export interface TextSegment {
  text(): Promise<FileHandle>;
}

/**
 * Where the last `lines` lines of a log begin, found from its end without reading what comes before. A line made of
 * several records counts once and is found whole, even when records of the other stream or an end of a segment lie
 * between.
 *
 * @param counts the records that are asked for at all: the others are passed over
 * @param isBefore true for records older than the answer may be: the search ends there
 */
export async function findTail(
  segments: readonly TextSegment[],
  lines: number,
  filter: { counts(record: LogRecord): boolean; isBefore(record: LogRecord): boolean },
): Promise<TailStart> {
  const end = await endOf(segments);
  const start = { stdout: end, stderr: end };
  const isOpen = { stdout: false, stderr: false };
  const isSeen = { stdout: false, stderr: false };
  if (lines === 0) return start;
  let counted = 0;
  for await (const { position, record } of recordsBackwards(segments, end)) {
    if (filter.isBefore(record)) break;
    const { stream } = record;
    // From behind, a line begins with its end; the last one of a stream may not have one yet.
    if (record.endsLine || !isSeen[stream]) {
      isOpen[stream] = counted < lines && filter.counts(record);
      if (isOpen[stream]) counted++;
    }
    isSeen[stream] = true;
    if (isOpen[stream]) start[stream] = position;
    if (counted >= lines && !isOpen.stdout && !isOpen.stderr) break;
  }
  return start;
}

/** True when `left` lies before `right`. */
export function isEarlier(left: LogPosition, right: LogPosition): boolean {
  return left.index < right.index || (left.index === right.index && left.offset < right.offset);
}

/** Behind the last whole record: the rest of one that is just being written will be asked for. */
async function endOf(segments: readonly TextSegment[]): Promise<LogPosition> {
  const index = Math.max(0, segments.length - 1);
  const file = await segments[index]?.text();
  if (file === undefined) return { index, offset: 0 };
  const { size } = await file.stat();
  for (let end = size; end > 0; end -= Math.min(end, BLOCK_BYTES)) {
    const length = Math.min(end, BLOCK_BYTES);
    const block = await readAt(file, end - length, length);
    const newline = block.lastIndexOf(NEWLINE);
    if (newline >= 0) return { index, offset: end - length + newline + 1 };
  }
  return { index, offset: 0 };
}

async function* recordsBackwards(
  segments: readonly TextSegment[],
  end: LogPosition,
): AsyncGenerator<{ position: LogPosition; record: LogRecord }> {
  for (let index = end.index; index >= 0; index--) {
    const file = await segments[index]?.text();
    if (file === undefined) continue;
    const size = index === end.index ? end.offset : (await file.stat()).size;
    yield* recordsOf(file, size, index);
  }
}

/** The records of one segment from its end; what follows the last newline is none. */
async function* recordsOf(
  file: FileHandle,
  size: number,
  index: number,
): AsyncGenerator<{ position: LogPosition; record: LogRecord }> {
  let buffer: Uint8Array = new Uint8Array(0);
  let start = size;
  for (;;) {
    const end = buffer.lastIndexOf(NEWLINE);
    const before = end <= 0 ? -1 : buffer.lastIndexOf(NEWLINE, end - 1);
    if (end >= 0 && (before >= 0 || start === 0)) {
      const offset = start + before + 1;
      yield { position: { index, offset }, record: parseRecord(buffer.subarray(before + 1, end + 1)) };
      buffer = buffer.subarray(0, before + 1);
      continue;
    }
    if (start === 0) return;
    const length = Math.min(BLOCK_BYTES, start);
    buffer = Buffer.concat([await readAt(file, start - length, length), buffer]);
    start -= length;
  }
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const block = new Uint8Array(length);
  const { bytesRead } = await file.read(block, 0, length, offset);
  return block.subarray(0, bytesRead);
}
