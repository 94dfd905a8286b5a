import { command } from "../command.ts";
import { printArchive } from "../output-file.ts";

export const exportVolume = command({
  usage: "[OPTIONS] VOLUME",
  arguments: { min: 1, max: 1 },
  flags: { output: { type: "string", short: "o", help: "Write to a file, instead of STDOUT" } },
  async run([name = ""], { output }, context) {
    await printArchive(context.client.volumes.export(name), { output, out: context.out });
    return 0;
  },
});
