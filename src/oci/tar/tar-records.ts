import { EngineError } from "#base/errors.ts";
import { decodeName } from "#base/file-name.ts";
import { parsePaxNumber } from "./pax.ts";
import { pathComponents, quoted, type TarLimits } from "./tar-entry.ts";

/** Records of extended headers by key, as `parsePax` gives them: what they say about an entry. */
export type TarRecords = ReadonlyMap<string, Uint8Array>;

const XATTR_KEY = "SCHILY.xattr.";
/** The largest id the kernel takes: 2^32 - 1 means "do not change". */
const MAX_ID = 0xffff_fffe;

/**
 * Global records that would rename or resize every entry are refused: readers disagree about them (Go's passes them
 * over), and an archive must mean one thing.
 */
export function mergeGlobal(before: TarRecords, added: TarRecords, limits: TarLimits): TarRecords {
  for (const key of ["path", "linkpath", "size"]) {
    if (added.has(key)) {
      throw new EngineError("unsupported", `Cannot read tar: a global extended header sets "${key}"`);
    }
  }
  const merged = new Map([...before, ...added]);
  let bytes = 0;
  for (const [key, value] of merged) bytes += key.length + value.length;
  if (bytes > limits.maxPaxBytes) {
    throw new EngineError(
      "invalid",
      `Cannot read tar: global extended headers are larger than ${limits.maxPaxBytes} bytes`,
    );
  }
  return merged;
}

/** A record that is text. An empty value takes a default back, so it counts as absent. */
export function textRecord(records: TarRecords, key: string): string | undefined {
  const value = records.get(key);
  return value?.length ? decodeName(value) : undefined;
}

/** A record that is a whole number. @throws {EngineError} invalid */
export function numberRecord(records: TarRecords, key: string, otherwise: number): number {
  const value = records.get(key);
  return value?.length ? parsePaxNumber(value, key) : otherwise;
}

/** A user or group. @throws {EngineError} invalid for one that the kernel would take as "do not change" */
export function identity(records: TarRecords, key: "uid" | "gid", otherwise: number): number {
  const id = numberRecord(records, key, otherwise);
  if (id > MAX_ID) throw new EngineError("invalid", `Cannot read tar: ${key} ${id} is larger than ${MAX_ID}`);
  return id;
}

/** Extended attributes, by the name they have on disk. */
export function xattrsOf(records: TarRecords): ReadonlyMap<string, Uint8Array> {
  const xattrs = new Map<string, Uint8Array>();
  for (const [key, value] of records) {
    if (key.startsWith(XATTR_KEY)) xattrs.set(key.slice(XATTR_KEY.length), value);
  }
  return xattrs;
}

/** @throws {EngineError} invalid when the path climbs, or is longer or deeper than `limits` allow */
export function checkPath(path: string, limits: TarLimits): void {
  if (path.includes("\0")) {
    throw new EngineError("invalid", `Cannot read tar entry ${quoted(path)}: its path has a zero byte`);
  }
  if (Buffer.byteLength(path) > limits.maxPathBytes) {
    throw new EngineError(
      "invalid",
      `Cannot read tar entry ${quoted(path)}: its path is longer than ${limits.maxPathBytes} bytes`,
    );
  }
  if (pathComponents(path).length > limits.maxDepth) {
    throw new EngineError(
      "invalid",
      `Cannot read tar entry ${quoted(path)}: it lies deeper than ${limits.maxDepth} directories`,
    );
  }
}

/** @throws {EngineError} invalid when the target is empty or too long */
export function checkLink(path: string, linkName: string, limits: TarLimits): void {
  if (linkName === "" || linkName.includes("\0") || Buffer.byteLength(linkName) > limits.maxPathBytes) {
    throw new EngineError(
      "invalid",
      `Cannot read tar entry ${quoted(path)}: wrong link target ${quoted(linkName)}`,
    );
  }
}
