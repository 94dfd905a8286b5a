import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { showProgress } from "../progress-view.ts";
import { platformJson } from "../specs/platform.ts";
import { readFileChunks } from "../user-files.ts";

export const load = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    input: { type: "string", short: "i", help: "Read from tar archive file, instead of STDIN" },
    platform: {
      type: "strings",
      metavar: "string",
      help: 'Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
    quiet: { type: "bool", short: "q", help: "Suppress the load output" },
  },
  async run(_args, { input, platform, quiet }, context) {
    if (input === undefined && context.input.isTerminal) {
      throw new EngineError("invalid", "requested load from stdin, but stdin is empty");
    }
    const source = input === undefined ? context.input : readFileChunks(input);
    const query = { quiet: quiet || !context.out.isTerminal, platform: platform.map(platformJson) };
    await showProgress(context.client.images.load(query, source), context.out);
    return 0;
  },
});
