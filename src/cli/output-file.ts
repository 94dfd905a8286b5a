import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { EngineError, isErrno } from "#base/errors.ts";

/**
 * Writes the file of `--output`: aside first, then renamed, so that a failure leaves neither half a file nor the old one
 * cut.
 *
 * @throws {EngineError} not-found when its directory is not there
 */
export async function writeOutputFile(path: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    await pipeline(archive, createWriteStream(aside, { mode: 0o600 }));
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    if (isErrno(error, "ENOENT")) {
      throw new EngineError("not-found", `invalid output path: directory "${dirname(path)}" does not exist`, {
        cause: error,
      });
    }
    throw error;
  }
}
