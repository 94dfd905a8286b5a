import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { EngineError, isErrno } from "#base/errors.ts";
import { command } from "../command.ts";

export const save = command({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  arguments: { min: 1 },
  flags: {
    output: { type: "string", short: "o", help: "Write to a file, instead of STDOUT" },
    platform: {
      type: "strings",
      metavar: "string",
      help: 'Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
  },
  async run(names, { output, platform }, context) {
    const archive = context.client.saveImages(names, platform);
    if (output !== undefined) await writeFile(output, archive);
    else if (context.out.isTerminal) {
      throw new EngineError(
        "invalid",
        "cowardly refusing to save to a terminal. Use the -o flag or redirect",
      );
    } else for await (const chunk of archive) await context.out.stream(chunk);
    return 0;
  },
});

/** Aside first, then renamed: a save that fails leaves neither half a file nor the old one cut. */
async function writeFile(path: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
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
