import { randomUUID } from "node:crypto";
import { createReadStream, readdirSync, statSync } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { isErrno } from "#base/errors.ts";

/*
 * A log is a row of segments in one folder; numbers rise, and the oldest go first:
 *
 *     container.log.00000007.gz    complete and compressed
 *     container.log.00000008       complete
 *     container.log                being written
 *
 * A rotation gives the file being written its number as a second name, and has conmon open a new file, which conmon
 * renames over `container.log`. Until then the highest number and `container.log` are one file; there is no moment
 * without a `container.log`, and a file that lost that name is complete.
 */

/** A segment that has its number. */
export interface LogSegment {
  readonly number: number;
  readonly path: string;
  readonly isCompressed: boolean;
}

const COMPRESSED = ".gz";

export function segmentPath(log: string, number: number): string {
  return `${log}.${String(number).padStart(8, "0")}`;
}

export function compressedPath(segment: string): string {
  return segment + COMPRESSED;
}

/** The numbered segments, oldest first; one that is there in both forms counts as not compressed. */
export function listSegments(log: string): LogSegment[] {
  const folder = dirname(log);
  const pattern = /^\.(\d{8,15})(\.gz)?$/;
  const byNumber = new Map<number, LogSegment>();
  for (const name of namesIn(folder)) {
    const match = name.startsWith(basename(log)) ? pattern.exec(name.slice(basename(log).length)) : null;
    if (!match) continue;
    const number = Number(match[1]);
    const isCompressed = match[2] !== undefined;
    if (isCompressed && byNumber.has(number)) continue;
    byNumber.set(number, { number, path: join(folder, name), isCompressed });
  }
  return [...byNumber.values()].toSorted((left, right) => left.number - right.number);
}

/** Which file a path names now; `undefined` when there is none. */
export function inodeAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

/** One file of a log, held open: it stays readable whatever a rotation does to its names. */
export class OpenSegment implements AsyncDisposable {
  /** Its number, or the one it will get. */
  readonly number: number;
  readonly inode: number;
  #file: FileHandle;
  #isCompressed: boolean;

  private constructor(number: number, inode: number, content: { file: FileHandle; isCompressed: boolean }) {
    this.number = number;
    this.inode = inode;
    this.#file = content.file;
    this.#isCompressed = content.isCompressed;
  }

  /** `undefined` when there is no such file. */
  static async open({ number, path, isCompressed }: LogSegment): Promise<OpenSegment | undefined> {
    const file = await openIfThere(path);
    if (file) return new OpenSegment(number, (await file.stat()).ino, { file, isCompressed });
    // It was compressed meanwhile.
    return isCompressed
      ? undefined
      : await OpenSegment.open({ number, path: compressedPath(path), isCompressed: true });
  }

  /** The text; what was compressed is unpacked aside at the first call, into a file without a name. */
  async text(): Promise<FileHandle> {
    if (!this.#isCompressed) return this.#file;
    const path = join(tmpdir(), `darse-log-${randomUUID()}`);
    const plain = await open(path, "wx+", 0o600);
    await unlink(path);
    const packed = this.#file;
    this.#file = plain;
    this.#isCompressed = false;
    const source = createReadStream("", { fd: packed, autoClose: false, start: 0 });
    await pipeline(source, createGunzip(), async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const chunk of chunks) await plain.write(chunk);
    });
    await packed.close();
    return plain;
  }

  /** Of the file as it is, packed or not. */
  async size(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/**
 * Opens the segments with numbers above `after`, oldest first, the one being written last: no gap between them but what
 * was removed for its age. Empty when there is no log. The caller disposes each.
 */
export async function openSegments(log: string, after: number): Promise<OpenSegment[]> {
  await using opened = new AsyncDisposableStack();
  const segments: OpenSegment[] = [];
  let last = after;
  for (;;) {
    for (const listed of listSegments(log).filter(({ number }) => number > last)) {
      const segment = await OpenSegment.open(listed);
      if (segment) segments.push(opened.use(segment));
      last = listed.number;
    }
    const current = await OpenSegment.open({ number: last + 1, path: log, isCompressed: false });
    if (current === undefined) break;
    const newer = listSegments(log).filter(({ number }) => number > last);
    // Between the two looks it may have got its number, and others after it.
    const isPassed = newer.some(({ path }) => inodeAt(path) !== current.inode);
    // It has its number already, and was opened by it.
    const isListed = segments.at(-1)?.inode === current.inode;
    if (isPassed || isListed) await current[Symbol.asyncDispose]();
    else segments.push(opened.use(current));
    if (isPassed) continue;
    break;
  }
  opened.move();
  return segments;
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
