import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from "node:fs";
import { join } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import type { IgnoreMatch, IgnorePatterns } from "#base/ignore-patterns.ts";
import { BLOCK_BYTES, paddingAfter, type TarEntry } from "#oci/tar/tar-entry.ts";
import { encodeHeader, type TarBody } from "#oci/tar/tar-writer.ts";
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
  yield* pack(contextEntries(context));
}

/** A context that is nothing but files made up for the build. */
export async function* packFiles(files: ReadonlyMap<string, Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield* pack(extraEntries(files));
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
    const stat = lstatSync(join(context.folder, path));
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

function withContent(context: BuildContext, path: string, stat: Stats): readonly [TarEntry, TarBody?] {
  const file = join(context.folder, path);
  if (!stat.isFile()) return [fileEntry(context, path, stat)];
  if (stat.size > SMALL_FILE) {
    return [fileEntry(context, path, stat), readFileChunks(file, stat.size)];
  }
  const bytes = readSmall(file, stat.size);
  return [{ ...fileEntry(context, path, stat), size: bytes.length }, [bytes]];
}

/** At most `size` bytes; fewer when the file has been cut since it was looked at. */
function readSmall(file: string, size: number): Uint8Array {
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
    const bytes = new Uint8Array(size);
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

function fileEntry(context: BuildContext, path: string, stat: Stats): TarEntry {
  // Whole seconds, as Docker sends them: they fit a plain header.
  const mtimeNs = BigInt(Math.floor(stat.mtimeMs / 1000)) * 1_000_000_000n;
  const facts = { path, mode: stat.mode & 0o7777, size: 0, mtimeNs };
  if (stat.isDirectory()) return entry({ ...facts, type: "directory" });
  if (stat.isSymbolicLink()) {
    return entry({ ...facts, type: "symlink", linkName: readlinkSync(join(context.folder, path)) });
  }
  if (stat.isFIFO()) return entry({ ...facts, type: "fifo" });
  if (stat.isFile()) return entry({ ...facts, type: "file", size: stat.size });
  const device = {
    major: (stat.rdev >> 8) & 0xfff,
    minor: (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00),
  };
  return entry({ ...facts, type: stat.isCharacterDevice() ? "character" : "block", device });
}

function entry(facts: Omit<TarEntry, "uid" | "gid" | "xattrs">): TarEntry {
  return { uid: 0, gid: 0, xattrs: new Map(), ...facts };
}

/** The archive's bytes, gathered: a chunk for each header and file would cost several times what reading them does. */
async function* pack(entries: Iterable<readonly [TarEntry, TarBody?]>): AsyncGenerator<Uint8Array, void> {
  const batch = new Batch();
  for (const [entry, body = []] of entries) {
    for (const part of [encodeHeader(entry), ...(Symbol.iterator in body ? body : [])])
      yield* batch.add(part);
    if (!(Symbol.iterator in body)) yield* streamed(batch, entry, body);
    yield* batch.add(PADDING.subarray(0, paddingAfter(entry.size)));
  }
  yield* batch.add(new Uint8Array(2 * BLOCK_BYTES));
  yield batch.take();
}

/** A file that is cut or grows while it is sent would shift all that follows it, so that its length is kept to. */
async function* streamed(
  batch: Batch,
  entry: TarEntry,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    yield* batch.add(chunk);
  }
  if (size !== entry.size) {
    throw new EngineError(
      "conflict",
      `Cannot send ${entry.path} to the build: it was changed while it was read`,
    );
  }
}

const PADDING = new Uint8Array(BLOCK_BYTES);

class Batch {
  #bytes = new Uint8Array(BATCH);
  #length = 0;

  /** Takes `part` in; gives out what has to go first. */
  *add(part: Uint8Array): Generator<Uint8Array, void> {
    if (part.length > BATCH - this.#length) yield this.take();
    if (part.length > BATCH) yield part;
    else {
      this.#bytes.set(part, this.#length);
      this.#length += part.length;
    }
  }

  take(): Uint8Array {
    const full = this.#bytes.subarray(0, this.#length);
    this.#bytes = new Uint8Array(BATCH);
    this.#length = 0;
    return full;
  }
}
