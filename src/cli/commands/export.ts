import { command } from "../command.ts";
import { printArchive } from "../output-file.ts";

export const exportContainer = command({
  usage: "[OPTIONS] CONTAINER",
  arguments: { min: 1, max: 1 },
  flags: { output: { type: "string", short: "o", help: "Write to a file, instead of STDOUT" } },
  async run([id = ""], { output }, context) {
    const archive = context.client.files.export(id);
    await printArchive(archive, { output, out: context.out });
    return 0;
  },
});
