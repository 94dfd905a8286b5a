import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, unlink } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { isErrno } from "#base/errors.ts";
import { compressedPath } from "./log-segments.ts";

/** The least: a log is compressed while its container writes the next. */
const LEVEL = 1;

/** Puts a compressed segment in the place of a complete one; nothing when that is not there any more. */
export async function compressSegment(path: string, signal: AbortSignal): Promise<void> {
  const packed = compressedPath(path);
  const aside = `${packed}.new`;
  try {
    await pipeline(
      createReadStream(path),
      createGzip({ level: LEVEL }),
      createWriteStream(aside, { mode: 0o600, flush: true }),
      { signal },
    );
    await rename(aside, packed);
  } catch (error) {
    await rm(aside, { force: true });
    if (isErrno(error, "ENOENT") || signal.aborted) return;
    throw error;
  }
  // Whoever lists in between finds both. An original that went for its age meanwhile takes the copy along.
  await unlink(path).catch((error: unknown) => {
    if (!isErrno(error, "ENOENT")) throw error;
    return rm(packed, { force: true });
  });
}
