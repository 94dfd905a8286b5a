import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { join } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import { IgnorePatterns, type IgnoreMatch } from "#base/ignore-patterns.ts";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { type TarBody, writeTar } from "#oci/tar/tar-writer.ts";
import { readFileChunks } from "./user-files.ts";

export interface BuildContext {
  /** The folder that is sent. */
  readonly folder: string;
  readonly ignore: IgnorePatterns;
  /** Paths that go along whatever the ignore file says: the Dockerfile and the ignore file themselves. */
  readonly always: ReadonlySet<string>;
  /** Files made up for the build: a Dockerfile from stdin or from outside the folder. */
  readonly extra: ReadonlyMap<string, Uint8Array>;
}

/** Files up to this size are read at once, which is several times faster for a folder of many. */
const SMALL_FILE = 256 * 1024;
/** As much as is gathered before it is sent: a write for each small file would be most of the time. */
const BATCH = 256 * 1024;

/**
 * The folder as a tar in the order of names, owners 0:0 and what is ignored left out (behaviour of docker/cli). Sockets
 * are left out.
 */
export async function* packContext(context: BuildContext): AsyncGenerator<Uint8Array, void> {
  yield* inBatches(writeTar(contextEntries(context)));
}

/** A context that is nothing but files made up for the build. */
export async function* packFiles(files: ReadonlyMap<string, Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield* inBatches(writeTar(extraEntries(files)));
}

function* contextEntries(context: BuildContext): Generator<readonly [TarEntry, TarBody?]> {
  yield* folderEntries(context, "", undefined);
  yield* extraEntries(context.extra);
}

function* extraEntries(files: ReadonlyMap<string, Uint8Array>): Generator<readonly [TarEntry, TarBody?]> {
  for (const [path, bytes] of files) {
    yield [entry({ path, type: "file", mode: 0o644, size: bytes.length, mtimeNs: 0n }), [bytes]];
  }
}

function* folderEntries(
  context: BuildContext,
  folder: string,
  parent: IgnoreMatch | undefined,
): Generator<readonly [TarEntry, TarBody?]> {
  for (const name of readdirSync(join(context.folder, folder)).toSorted()) {
    const path = folder === "" ? name : `${folder}/${name}`;
    const match = context.ignore.match(path, parent);
    const isLeftOut = match.isIgnored && !context.always.has(path);
    if (context.extra.has(path)) continue;
    if (isLeftOut && !mayHoldKept(context, path)) continue;
    const stat = lstatSync(join(context.folder, path), { bigint: true });
    if (stat.isDirectory()) {
      if (!isLeftOut) yield [fileEntry(context, path, stat)];
      yield* folderEntries(context, path, match);
    } else if (!isLeftOut && !stat.isSocket()) yield withContent(context, path, stat);
  }
}

function mayHoldKept(context: BuildContext, path: string): boolean {
  if (context.ignore.mayKeepBelow(path)) return true;
  for (const kept of context.always) if (kept.startsWith(`${path}/`)) return true;
  return false;
}

interface FileFacts {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isFIFO(): boolean;
  isCharacterDevice(): boolean;
  readonly mode: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly rdev: bigint;
}

function withContent(context: BuildContext, path: string, stat: FileFacts): readonly [TarEntry, TarBody?] {
  const file = join(context.folder, path);
  if (!stat.isFile()) return [fileEntry(context, path, stat)];
  if (stat.size > SMALL_FILE) {
    const size = Number(stat.size);
    return [fileEntry(context, path, stat), readFileChunks(file, size)];
  }
  const bytes = readSmall(file);
  return [{ ...fileEntry(context, path, stat), size: bytes.length }, [bytes]];
}

/** The bytes as they are now: the size of `lstat` may have changed since. */
function readSmall(file: string): Uint8Array {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (error) {
    if (isErrno(error, "EACCES")) {
      throw new EngineError("forbidden", `Cannot send ${file} to the build: permission denied`, {
        cause: error,
      });
    }
    throw error;
  }
  try {
    const bytes = new Uint8Array(fstatSync(fd).size);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(fd, bytes, length, bytes.length - length, null);
      if (read === 0) break;
      length += read;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

function fileEntry(context: BuildContext, path: string, stat: FileFacts): TarEntry {
  const facts = { path, mode: Number(stat.mode & 0o7777n), size: 0, mtimeNs: stat.mtimeNs };
  if (stat.isDirectory()) return entry({ ...facts, type: "directory" });
  if (stat.isSymbolicLink()) {
    return entry({ ...facts, type: "symlink", linkName: readlinkSync(join(context.folder, path)) });
  }
  if (stat.isFIFO()) return entry({ ...facts, type: "fifo" });
  if (stat.isFile()) return entry({ ...facts, type: "file", size: Number(stat.size) });
  const device = {
    major: Number((stat.rdev >> 8n) & 0xfffn),
    minor: Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xfff00n)),
  };
  return entry({ ...facts, type: stat.isCharacterDevice() ? "character" : "block", device });
}

function entry(facts: Omit<TarEntry, "uid" | "gid" | "xattrs">): TarEntry {
  return { uid: 0, gid: 0, xattrs: new Map(), ...facts };
}

async function* inBatches(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let batch = new Uint8Array(BATCH);
  let length = 0;
  for await (const chunk of source) {
    if (chunk.length > BATCH - length) {
      yield batch.subarray(0, length);
      batch = new Uint8Array(BATCH);
      length = 0;
    }
    if (chunk.length >= BATCH) yield chunk;
    else {
      batch.set(chunk, length);
      length += chunk.length;
    }
  }
  if (length > 0) yield batch.subarray(0, length);
}
