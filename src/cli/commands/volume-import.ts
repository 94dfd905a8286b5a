import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { readFileChunks } from "../user-files.ts";

export const importVolume = command({
  usage: "[OPTIONS] VOLUME",
  arguments: { min: 1, max: 1 },
  flags: {
    input: { type: "string", short: "i", help: "Read from tar archive file, instead of STDIN" },
    replace: { type: "bool", help: "Replace what the volume holds" },
  },
  async run([name = ""], { input, replace }, context) {
    if (input === undefined && context.input.isTerminal) {
      throw new EngineError("invalid", "requested import from stdin, but stdin is empty");
    }
    const archive = input === undefined ? context.input : readFileChunks(input);
    await context.client.volumes.import(name, archive, { replaces: replace });
    context.out.write(`${name}\n`);
    return 0;
  },
});
