import { EngineError } from "#base/errors.ts";
import { decodeName } from "#base/file-name.ts";
import { parsePax, parsePaxTime } from "./pax.ts";
import {
  BLOCK_BYTES,
  paddingAfter,
  quoted,
  type TarEntry,
  type TarEntryType,
  type TarLimits,
} from "./tar-entry.ts";
import {
  checkLink,
  checkPath,
  identity,
  mergeGlobal,
  numberRecord,
  textRecord,
  xattrsOf,
} from "./tar-records.ts";
import { decodeHeader, isZeroBlock, type TarHeader } from "./tar-header.ts";

export type TarEvent =
  | { readonly kind: "entry"; readonly entry: TarEntry }
  /** A part of the entry's content: a view into the pushed chunk, valid until the next `push`. */
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "entry-end" };

type Phase =
  | { readonly kind: "header" }
  | { readonly kind: "meta"; readonly header: TarHeader }
  | { readonly kind: "content" }
  | { readonly kind: "padding" }
  | { readonly kind: "done" };

const HEADER: Phase = { kind: "header" };
const CONTENT: Phase = { kind: "content" };
const PADDING: Phase = { kind: "padding" };
const DONE: Phase = { kind: "done" };
const ENTRY_END: TarEvent = { kind: "entry-end" };

const TYPES: ReadonlyMap<string, TarEntryType> = new Map([
  ["0", "file"],
  ["\0", "file"],
  ["7", "file"],
  ["1", "hardlink"],
  ["2", "symlink"],
  ["3", "character"],
  ["4", "block"],
  ["5", "directory"],
  ["6", "fifo"],
]);

/**
 * The synchronous core of reading tar: push a chunk, take events until there are none, push the next. Nothing is
 * copied but headers that straddle chunks, so an archive in memory is read at the speed of its headers.
 *
 * Dialects: v7, ustar, star, GNU (long names, base-256 numbers), PAX (local and global). Sparse files are refused.
 */
export class TarParser {
  readonly #limits: TarLimits;
  #phase: Phase = HEADER;
  #chunk: Uint8Array = new Uint8Array();
  #offset = 0;
  /** The start of something that the last chunk cut off. */
  #carry: Uint8Array | undefined;
  #carried = 0;
  /** Bytes of content, then of padding, still to come. */
  #remaining = 0;
  #padding = 0;
  #entries = 0;
  #hasZeroBlock = false;
  #global: ReadonlyMap<string, Uint8Array> = new Map();
  #local: ReadonlyMap<string, Uint8Array> = new Map();
  #longName: string | undefined;
  #longLink: string | undefined;

  constructor(limits: TarLimits) {
    this.#limits = limits;
  }

  /** True once the end of the archive was read; what follows it is passed over. */
  get isDone(): boolean {
    return this.#phase === DONE;
  }

  /** Hands in more bytes; only after `next()` returned `undefined`. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#offset = 0;
  }

  /** The next thing in the bytes pushed so far, `undefined` when more are needed. @throws {EngineError} invalid, unsupported */
  next(): TarEvent | undefined {
    for (;;) {
      switch (this.#phase.kind) {
        case "header": {
          const block = this.#take(BLOCK_BYTES);
          if (block === undefined) return undefined;
          const event = this.#header(block);
          if (event !== undefined) return event;
          break;
        }
        case "meta": {
          const { header } = this.#phase;
          const body = this.#take(header.size + paddingAfter(header.size));
          if (body === undefined) return undefined;
          this.#meta(header.typeFlag, body.subarray(0, header.size));
          this.#phase = HEADER;
          break;
        }
        case "content": {
          if (this.#remaining === 0) {
            this.#phase = PADDING;
            return ENTRY_END;
          }
          return this.#content();
        }
        case "padding": {
          const skipped = Math.min(this.#padding, this.#chunk.length - this.#offset);
          this.#offset += skipped;
          this.#padding -= skipped;
          if (this.#padding > 0) return undefined;
          this.#phase = HEADER;
          break;
        }
        case "done":
          this.#offset = this.#chunk.length;
          return undefined;
      }
    }
  }

  /** Says that no more bytes come. An archive may end without its two zero blocks, but not inside an entry. */
  finish(): void {
    const isBetween = this.#phase.kind === "header" && this.#carried === 0 && this.#local.size === 0;
    const isPadded = this.#phase.kind === "padding" && this.#padding === 0;
    if (this.isDone || isPadded || (isBetween && this.#entries + Number(this.#hasZeroBlock) > 0)) return;
    const found = this.#entries === 0 && isBetween ? "it is empty" : "it ends too early";
    throw new EngineError("invalid", `Cannot read tar: ${found}`);
  }

  #content(): TarEvent | undefined {
    const length = Math.min(this.#remaining, this.#chunk.length - this.#offset);
    if (length === 0) return undefined;
    const bytes = this.#chunk.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    this.#remaining -= length;
    return { kind: "data", bytes };
  }

  /** `length` bytes in one piece, or `undefined` after keeping what there is. The view is valid until the next call. */
  #take(length: number): Uint8Array | undefined {
    const available = this.#chunk.length - this.#offset;
    if (this.#carried === 0 && available >= length) {
      this.#offset += length;
      return this.#chunk.subarray(this.#offset - length, this.#offset);
    }
    if (this.#carry === undefined || this.#carry.length !== length) this.#carry = new Uint8Array(length);
    const used = Math.min(length - this.#carried, available);
    this.#carry.set(this.#chunk.subarray(this.#offset, this.#offset + used), this.#carried);
    this.#offset += used;
    this.#carried += used;
    if (this.#carried < length) return undefined;
    this.#carried = 0;
    return this.#carry;
  }

  #header(block: Uint8Array): TarEvent | undefined {
    if (isZeroBlock(block)) {
      if (this.#hasZeroBlock) this.#phase = DONE;
      this.#hasZeroBlock = true;
      return undefined;
    }
    if (this.#hasZeroBlock)
      throw new EngineError("invalid", "Cannot read tar: entries follow a block of zeros");
    const header = decodeHeader(block);
    if ("xgLK".includes(header.typeFlag)) {
      if (header.size > this.#limits.maxPaxBytes) {
        throw new EngineError(
          "invalid",
          `Cannot read tar: an extended header of ${header.size} bytes is larger than ${this.#limits.maxPaxBytes}`,
        );
      }
      this.#phase = { kind: "meta", header };
      return undefined;
    }
    const entry = this.#entry(header);
    this.#local = new Map();
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#remaining = entry.size;
    this.#padding = paddingAfter(entry.size);
    this.#phase = CONTENT;
    return { kind: "entry", entry };
  }

  #meta(typeFlag: string, body: Uint8Array): void {
    switch (typeFlag) {
      case "x":
        this.#local = parsePax(body);
        return;
      case "g":
        this.#global = mergeGlobal(this.#global, parsePax(body), this.#limits);
        return;
      case "L":
        this.#longName = cString(body);
        return;
      default:
        this.#longLink = cString(body);
    }
  }

  #entry(header: TarHeader): TarEntry {
    this.#entries++;
    if (this.#entries > this.#limits.maxEntries) {
      throw new EngineError(
        "invalid",
        `Cannot read tar: it has more than ${this.#limits.maxEntries} entries`,
      );
    }
    const records = this.#global.size === 0 ? this.#local : new Map([...this.#global, ...this.#local]);
    const name = textRecord(records, "path") ?? this.#longName ?? header.name;
    const type = this.#type(header.typeFlag, name, records);
    const path = type === "directory" ? name.replace(/\/+$/, "") : name;
    checkPath(path, this.#limits);
    const linkName = textRecord(records, "linkpath") ?? this.#longLink ?? header.linkName;
    const isLink = type === "symlink" || type === "hardlink";
    if (isLink) checkLink(path, linkName, this.#limits);
    const mtime = records.get("mtime");
    return {
      path,
      type,
      mode: header.mode,
      uid: identity(records, "uid", header.uid),
      gid: identity(records, "gid", header.gid),
      size: type === "file" ? numberRecord(records, "size", header.size) : 0,
      mtimeNs: mtime?.length ? parsePaxTime(mtime) : header.mtimeSeconds * 1_000_000_000n,
      ...(isLink && { linkName }),
      ...((type === "character" || type === "block") && { device: header.device }),
      xattrs: xattrsOf(records),
    };
  }

  #type(flag: string, name: string, records: ReadonlyMap<string, Uint8Array>): TarEntryType {
    const isSparse = flag === "S" || [...records.keys()].some((key) => key.startsWith("GNU.sparse."));
    if (isSparse) {
      throw new EngineError(
        "unsupported",
        `Cannot read tar entry ${quoted(name)}: sparse files are not supported`,
        {
          hint: "make the archive without --sparse",
        },
      );
    }
    const type = TYPES.get(flag);
    if (type === undefined) {
      throw new EngineError(
        "unsupported",
        `Cannot read tar entry ${quoted(name)}: unknown type ${quoted(flag)}`,
      );
    }
    return type === "file" && name.endsWith("/") ? "directory" : type;
  }
}

function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeName(end < 0 ? bytes : bytes.subarray(0, end));
}
