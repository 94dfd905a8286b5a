import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { EngineError, isErrno } from "#base/errors.ts";
import type { Output } from "./output.ts";

export interface ArchiveTarget {
  /** `--output`; standard output when it is not given. */
  readonly output: string | undefined;
  readonly out: Output;
}

/** Prints an archive, or writes it to the file of `--output`. @throws {EngineError} invalid rather than fill a terminal */
export async function printArchive(
  archive: AsyncIterable<Uint8Array>,
  { output, out }: ArchiveTarget,
): Promise<void> {
  if (output !== undefined) return await writeOutputFile(output, archive);
  if (out.isTerminal) {
    throw new EngineError("invalid", "cowardly refusing to save to a terminal. Use the -o flag or redirect");
  }
  for await (const chunk of archive) await out.stream(chunk);
}

/**
 * Writes the file of `--output`: aside first, then renamed, so that a failure leaves neither half a file nor the old one
 * cut.
 *
 * @throws {EngineError} not-found when its directory is not there
 */
async function writeOutputFile(path: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
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
