import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { writeOutputFile } from "../output-file.ts";

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
    if (output !== undefined) await writeOutputFile(output, archive);
    else if (context.out.isTerminal) {
      throw new EngineError(
        "invalid",
        "cowardly refusing to save to a terminal. Use the -o flag or redirect",
      );
    } else for await (const chunk of archive) await context.out.stream(chunk);
    return 0;
  },
});
