import { writeSync } from "node:fs";
import { EngineError, errorMessage } from "#base/errors.ts";
import { jsonLogger } from "#base/log.ts";
import { collectGarbage, GC_FLAGS, GC_USAGE } from "./gc.ts";
import { logLevel, parseFlags, REGISTRY_USAGE } from "./options.ts";
import { type Doors, serve } from "./serve.ts";
import { SERVE_FLAGS, SERVE_USAGE } from "./serve-flags.ts";

/** `darse registry …`: the registry's own commands. Resolves to the exit code. */
export async function runRegistry([command, ...args]: readonly string[], doors: Doors): Promise<number> {
  try {
    switch (command) {
      case "serve": {
        const flags = parseFlags(args, SERVE_FLAGS, "serve");
        if (flags["help"] === true) return say(SERVE_USAGE);
        const log = jsonLogger((line) => writeSync(2, line), logLevel(flags));
        await serve(flags, { ...doors, log, stop: signalled("SIGTERM", "SIGINT") });
        return 0;
      }
      case "gc": {
        const flags = parseFlags(args, GC_FLAGS, "gc");
        return say(flags["help"] === true ? GC_USAGE : await collectGarbage(flags, doors.lock));
      }
      case undefined:
      case "help":
      case "--help":
      case "-h":
        return say(REGISTRY_USAGE);
      default:
        throw new EngineError("invalid", `unknown command: darse registry ${command}`, {
          hint: "darse registry --help",
        });
    }
  } catch (error) {
    const hint = EngineError.is(error) && error.hint !== undefined ? `\n${error.hint}` : "";
    process.stderr.write(`darse registry: ${errorMessage(error)}${hint}\n`);
    return 1;
  }
}

function say(usage: string): number {
  process.stdout.write(usage);
  return 0;
}

function signalled(...signals: NodeJS.Signals[]): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve(signal));
  });
}
