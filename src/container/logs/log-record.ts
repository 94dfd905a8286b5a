import { EngineError } from "#base/errors.ts";

/*
 * A log as conmon writes it (Kubernetes CRI logging format): one record a line,
 *
 *     2016-10-06T00:17:09.669794202+00:00 stdout F text of a whole line
 *     2016-10-06T00:17:09.669794202+00:00 stdout P the first part of a line
 *
 * F ends a line of the program, P does not: the next record of the same stream goes on. Text is bytes of any kind but
 * newline.
 */

export type LogStream = "stdout" | "stderr";

/** One record, its bytes still those of the block it was read from. */
export interface LogRecord {
  readonly stream: LogStream;
  /** Epoch nanoseconds. */
  readonly timeNs: bigint;
  readonly endsLine: boolean;
  /** The text; with its newline when the record ends a line. */
  readonly data: Uint8Array;
}

const SPACE = 0x20;
const FULL = 0x46;
const PARTIAL = 0x50;
const STREAM_LENGTH = "stdout".length;
const STDOUT = Buffer.from("stdout");
const STDERR = Buffer.from("stderr");
/** `2016-10-06T00:17:09` */
const SECONDS_LENGTH = 19;
const LONGEST_TIME = 40;

/** A record whose time is read when somebody asks: most readers want the text alone. */
class LineRecord implements LogRecord {
  readonly stream: LogStream;
  readonly endsLine: boolean;
  readonly data: Uint8Array;
  readonly #line: Uint8Array;
  readonly #timeEnd: number;
  #timeNs: bigint | undefined;

  constructor(
    line: Uint8Array,
    { stream, timeEnd, endsLine }: { stream: LogStream; timeEnd: number; endsLine: boolean },
  ) {
    this.stream = stream;
    this.endsLine = endsLine;
    this.data = line.subarray(timeEnd + STREAM_LENGTH + 4, endsLine ? line.byteLength : line.byteLength - 1);
    this.#line = line;
    this.#timeEnd = timeEnd;
  }

  get timeNs(): bigint {
    const { buffer, byteOffset } = this.#line;
    this.#timeNs ??= parseTime(Buffer.from(buffer, byteOffset, this.#timeEnd).toString("latin1"));
    return this.#timeNs;
  }
}

/**
 * Reads one line of a log.
 *
 * @param line with its newline
 * @throws {EngineError} corrupt when it is not of the format
 */
export function parseRecord(line: Uint8Array): LogRecord {
  const timeEnd = line.indexOf(SPACE);
  const streamEnd = timeEnd + 1 + STREAM_LENGTH;
  const stream = timeEnd <= 0 || timeEnd > LONGEST_TIME ? undefined : streamAt(line, timeEnd + 1);
  const tag = line[streamEnd + 1];
  const isWhole = line[streamEnd] === SPACE && line[streamEnd + 2] === SPACE;
  if (stream === undefined || !isWhole || (tag !== FULL && tag !== PARTIAL)) {
    const start = Buffer.from(line.subarray(0, 80)).toString("latin1");
    throw new EngineError("corrupt", `Cannot read a log record: found ${JSON.stringify(start)}`);
  }
  return new LineRecord(line, { stream, timeEnd, endsLine: tag === FULL });
}

/** The second last read: records come in bursts. */
const lastSecond = { text: "", epochMs: 0 };

/** RFC 3339 with up to nine digits of fraction, in any zone, as epoch nanoseconds. @throws {EngineError} corrupt */
export function parseTime(text: string): bigint {
  const zoneAt = zoneStart(text);
  const key = text.slice(0, SECONDS_LENGTH) + text.slice(zoneAt);
  if (key !== lastSecond.text) {
    const epochMs = Date.parse(key);
    if (Number.isNaN(epochMs)) throw new EngineError("corrupt", `Cannot read log time "${text}"`);
    lastSecond.text = key;
    lastSecond.epochMs = epochMs;
  }
  const fraction = text.slice(SECONDS_LENGTH + 1, zoneAt).padEnd(9, "0");
  return BigInt(lastSecond.epochMs) * 1_000_000n + BigInt(Number(fraction.slice(0, 9)));
}

/** RFC 3339 in UTC with always nine digits, as `docker logs --timestamps` prints it. */
export function formatTime(timeNs: bigint): string {
  const ms = timeNs / 1_000_000n;
  const nanoseconds = String(timeNs % 1_000_000_000n).padStart(9, "0");
  return `${new Date(Number(ms)).toISOString().slice(0, SECONDS_LENGTH)}.${nanoseconds}Z`;
}

function zoneStart(text: string): number {
  for (let at = SECONDS_LENGTH; at < text.length; at++) {
    const character = text[at];
    if (character === "Z" || character === "+" || character === "-") return at;
  }
  return text.length;
}

function streamAt(line: Uint8Array, at: number): LogStream | undefined {
  if (isAt(line, at, STDOUT)) return "stdout";
  return isAt(line, at, STDERR) ? "stderr" : undefined;
}

function isAt(line: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let index = word.length - 1; index >= 0; index--) {
    if (line[at + index] !== word[index]) return false;
  }
  return true;
}
