import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { writeOutputFile } from "../output-file.ts";

export const exportContainer = command({
  usage: "[OPTIONS] CONTAINER",
  arguments: { min: 1, max: 1 },
  flags: { output: { type: "string", short: "o", help: "Write to a file, instead of STDOUT" } },
  async run([id = ""], { output }, context) {
    const archive = context.client.files.export(id);
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
