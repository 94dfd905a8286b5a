import type { FileHandle } from "node:fs/promises";
import { type LogRecord, type LogStream, parseRecord } from "./log-record.ts";

const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** From which offset the records of each stream belong to the answer. */
export type TailStart = Readonly<Record<LogStream, number>>;

/**
 * Where the last `lines` lines of a log begin, found from its end without reading what comes before. A line made of
 * several records counts once and is found whole, even when records of the other stream lie between.
 *
 * @param counts the records that are asked for at all: the others are passed over
 * @param isBefore true for records older than the answer may be: the search ends there
 */
export async function findTail(
  file: FileHandle,
  size: number,
  lines: number,
  filter: { counts(record: LogRecord): boolean; isBefore(record: LogRecord): boolean },
): Promise<TailStart> {
  const start = { stdout: size, stderr: size };
  const isOpen = { stdout: false, stderr: false };
  const isSeen = { stdout: false, stderr: false };
  if (lines === 0) return start;
  let counted = 0;
  for await (const { offset, record } of recordsBackwards(file, size)) {
    if (filter.isBefore(record)) break;
    const { stream } = record;
    // From behind, a line begins with its end; the last one of a stream may not have one yet.
    if (record.endsLine || !isSeen[stream]) {
      isOpen[stream] = counted < lines && filter.counts(record);
      if (isOpen[stream]) counted++;
    }
    isSeen[stream] = true;
    if (isOpen[stream]) start[stream] = offset;
    if (counted >= lines && !isOpen.stdout && !isOpen.stderr) break;
  }
  return start;
}

/** The records of a log from its end; what follows the last newline is not one yet. */
async function* recordsBackwards(
  file: FileHandle,
  size: number,
): AsyncGenerator<{ offset: number; record: LogRecord }> {
  let buffer: Uint8Array = new Uint8Array(0);
  let start = size;
  for (;;) {
    const end = buffer.lastIndexOf(NEWLINE);
    const before = end <= 0 ? -1 : buffer.lastIndexOf(NEWLINE, end - 1);
    if (end >= 0 && (before >= 0 || start === 0)) {
      yield { offset: start + before + 1, record: parseRecord(buffer.subarray(before + 1, end + 1)) };
      buffer = buffer.subarray(0, before + 1);
      continue;
    }
    if (start === 0) return;
    const length = Math.min(BLOCK_BYTES, start);
    const block = new Uint8Array(length);
    await file.read(block, 0, length, start - length);
    buffer = Buffer.concat([block, buffer]);
    start -= length;
  }
}
