import { encodeName } from "#base/file-name.ts";
import { encodePax, formatPaxTime } from "./pax.ts";
import { BLOCK_BYTES, paddingAfter, type TarEntry } from "./tar-entry.ts";
import { headerChecksum } from "./tar-header.ts";

/** Takes the bytes of an archive in order; a promise it returns is waited for before more comes. */
export interface TarSink {
  write(chunk: Uint8Array): void | Promise<void>;
}

const TYPE_FLAG: Readonly<Record<TarEntry["type"], string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** The largest numbers that fit a field as octal text with its end mark. */
const MAX_ID = 0o7777777;
const MAX_SIZE = 0o77777777777;
const NANOSECONDS = 1_000_000_000n;
const NO_PADDING = new Uint8Array(BLOCK_BYTES);

/**
 * Writes one archive: ustar, with PAX records where an entry does not fit it. Equal entries give equal bytes; the order
 * is the caller's.
 */
export class TarWriter {
  readonly #sink: TarSink;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /**
   * Adds an entry and its content, which must be exactly `entry.size` bytes.
   *
   * @throws {Error} when `body` is shorter or longer: the archive is broken then
   */
  async add(entry: TarEntry, body?: TarBody): Promise<void> {
    for await (const chunk of encodeEntry(entry, body)) await this.#sink.write(chunk);
  }

  /** Writes the end mark; nothing may be added after it. */
  async finish(): Promise<void> {
    await this.#sink.write(new Uint8Array(2 * BLOCK_BYTES));
  }
}

export type TarBody = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** An archive as a stream, for where the consumer pulls. @throws {Error} when a body has not its entry's size */
export async function* writeTar(
  entries: AsyncIterable<readonly [TarEntry, TarBody?]> | Iterable<readonly [TarEntry, TarBody?]>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const [entry, body] of entries) yield* encodeEntry(entry, body);
  yield new Uint8Array(2 * BLOCK_BYTES);
}

async function* encodeEntry(
  entry: TarEntry,
  body: TarBody = [],
): AsyncGenerator<Uint8Array, void, undefined> {
  yield encodeHeader(entry);
  const size = contentSize(entry);
  let written = 0;
  for await (const chunk of body) {
    written += chunk.length;
    if (written > size) break;
    yield chunk;
  }
  if (written !== size) {
    throw new Error(
      `tar entry ${entry.path} was announced with ${size} bytes, its content has another length`,
    );
  }
  const padding = paddingAfter(size);
  if (padding > 0) yield NO_PADDING.subarray(0, padding);
}

/** The header blocks of an entry: extended header first when ustar alone cannot say it. */
export function encodeHeader(entry: TarEntry): Uint8Array {
  const path = entry.type === "directory" ? `${entry.path}/` : entry.path;
  const records = new Map<string, Uint8Array>();
  const note = (key: string, value: string): void => void records.set(key, encodeName(value));
  const split = splitPath(path);
  if (split === undefined) note("path", path);
  const linkName = entry.linkName ?? "";
  if (!fitsField(linkName, NAME_BYTES)) note("linkpath", linkName);
  const size = contentSize(entry);
  if (size > MAX_SIZE) note("size", String(size));
  if (entry.uid > MAX_ID) note("uid", String(entry.uid));
  if (entry.gid > MAX_ID) note("gid", String(entry.gid));
  const seconds = entry.mtimeNs / NANOSECONDS;
  const hasPlainTime = entry.mtimeNs >= 0n && entry.mtimeNs % NANOSECONDS === 0n && seconds <= MAX_SIZE;
  if (!hasPlainTime) note("mtime", formatPaxTime(entry.mtimeNs));
  for (const [name, value] of entry.xattrs) records.set(`SCHILY.xattr.${name}`, value);
  const block = encodeBlock({
    ...(split ?? { prefix: "", name: asciiTail(path) }),
    linkName: asciiTail(linkName),
    typeFlag: TYPE_FLAG[entry.type],
    mode: entry.mode,
    uid: entry.uid > MAX_ID ? 0 : entry.uid,
    gid: entry.gid > MAX_ID ? 0 : entry.gid,
    size: size > MAX_SIZE ? 0 : size,
    mtimeSeconds: hasPlainTime ? Number(seconds) : 0,
    device: entry.device ?? { major: 0, minor: 0 },
  });
  return records.size === 0 ? block : withExtendedHeader(encodePax(records), path, block);
}

interface UstarFields {
  readonly prefix: string;
  readonly name: string;
  readonly linkName: string;
  readonly typeFlag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly device: { readonly major: number; readonly minor: number };
}

function encodeBlock(fields: UstarFields): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  putText(block, 0, fields.name);
  putOctal(block, 100, 8, fields.mode);
  putOctal(block, 108, 8, fields.uid);
  putOctal(block, 116, 8, fields.gid);
  putOctal(block, 124, 12, fields.size);
  putOctal(block, 136, 12, fields.mtimeSeconds);
  putText(block, 156, fields.typeFlag);
  putText(block, 157, fields.linkName);
  putText(block, 257, "ustar\x0000");
  putOctal(block, 329, 8, fields.device.major);
  putOctal(block, 337, 8, fields.device.minor);
  putText(block, 345, fields.prefix);
  putText(block, 148, `${headerChecksum(block).toString(8).padStart(6, "0")}\0 `);
  return block;
}

function withExtendedHeader(records: Uint8Array, path: string, block: Uint8Array): Uint8Array {
  const header = encodeBlock({
    prefix: "",
    name: asciiTail(`PaxHeaders.0/${path.replace(/\/$/, "").split("/").at(-1) ?? ""}`),
    linkName: "",
    typeFlag: "x",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: records.length,
    mtimeSeconds: 0,
    device: { major: 0, minor: 0 },
  });
  const whole = new Uint8Array(BLOCK_BYTES * 2 + records.length + paddingAfter(records.length));
  whole.set(header, 0);
  whole.set(records, BLOCK_BYTES);
  whole.set(block, whole.length - BLOCK_BYTES);
  return whole;
}

/** Name and prefix fields for `path`, `undefined` when they cannot hold it. */
function splitPath(path: string): { prefix: string; name: string } | undefined {
  if (!isAscii(path)) return undefined;
  if (path.length <= NAME_BYTES) return { prefix: "", name: path };
  const slash = path.lastIndexOf("/", Math.min(PREFIX_BYTES, path.length - 2));
  const name = path.slice(slash + 1);
  return slash <= 0 || name.length > NAME_BYTES ? undefined : { prefix: path.slice(0, slash), name };
}

/** What readers without PAX see of a text that does not fit. */
function asciiTail(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "_").slice(0, NAME_BYTES);
}

function fitsField(text: string, bytes: number): boolean {
  return text.length <= bytes && isAscii(text);
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function putText(block: Uint8Array, offset: number, text: string): void {
  for (let index = 0; index < text.length; index++) block[offset + index] = text.charCodeAt(index);
}

function putOctal(block: Uint8Array, offset: number, length: number, value: number): void {
  const digits = value.toString(8).padStart(length - 1, "0");
  if (digits.length > length - 1) throw new Error(`the number ${value} does not fit a tar header`);
  putText(block, offset, digits);
}

function contentSize(entry: TarEntry): number {
  return entry.type === "file" ? entry.size : 0;
}
