import { command } from "../command.ts";
import { printArchive } from "../output-file.ts";
import { platformJson } from "../specs/platform.ts";

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
    const archive = context.client.images.save(names, platform.map(platformJson));
    await printArchive(archive, { output, out: context.out });
    return 0;
  },
});
