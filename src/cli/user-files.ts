import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { EngineError, isErrno } from "#base/errors.ts";

const CHUNK_BYTES = 1024 * 1024;

/** The text of a file named on the command line. @throws {EngineError} not-found, forbidden, invalid */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw describeFileError(error, path);
  }
}

/**
 * The bytes of a file named on the command line, as they are asked for; no more than `maxBytes`.
 *
 * @throws {EngineError} not-found, forbidden, invalid
 */
export async function* readFileChunks(
  path: string,
  maxBytes = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array, void> {
  try {
    await using file = await open(path, "r");
    for (let rest = maxBytes; rest > 0; ) {
      const size = Math.min(CHUNK_BYTES, rest);
      const { bytesRead, buffer } = await file.read(new Uint8Array(size), 0, size, null);
      if (bytesRead === 0) return;
      rest -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw describeFileError(error, path);
  }
}

function describeFileError(error: unknown, path: string): unknown {
  if (isErrno(error, "ENOENT", "ENOTDIR")) {
    return new EngineError("not-found", `open ${path}: no such file or directory`, { cause: error });
  }
  if (isErrno(error, "EACCES", "EPERM")) {
    return new EngineError("forbidden", `open ${path}: permission denied`, { cause: error });
  }
  if (isErrno(error, "EISDIR")) {
    return new EngineError("invalid", `read ${path}: is a directory`, { cause: error });
  }
  return error;
}
