import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { readFileChunks } from "../user-files.ts";

export const importVolume = command({
  usage: "[OPTIONS] VOLUME",
  arguments: { min: 1, max: 1 },
  flags: {
    input: { type: "string", short: "i", help: "Read from tar archive file, instead of STDIN" },
  },
  async run([name = ""], { input }, context) {
    if (input === undefined && context.input.isTerminal) {
      throw new EngineError("invalid", "requested import from stdin, but stdin is empty");
    }
    await context.client.volumes.import(name, input === undefined ? context.input : readFileChunks(input));
    context.out.write(`${name}\n`);
    return 0;
  },
});
