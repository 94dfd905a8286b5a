import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { describeError } from "../describe-error.ts";

export const removeNetworks = command({
  usage: "NETWORK [NETWORK...]",
  arguments: { min: 1 },
  flags: { force: { type: "bool", short: "f", help: "Do not error if the network does not exist" } },
  async run(args, { force }, context) {
    let exitCode = 0;
    // One after another, as Docker does: failures stand between the names.
    for (const name of args) {
      try {
        await context.client.networks.remove(name);
        context.out.write(`${name}\n`);
      } catch (error) {
        if (!EngineError.is(error)) throw error;
        if (force && error.kind === "not-found") continue;
        context.error.write(`${describeError(error, false)}\n`);
        exitCode = 1;
      }
    }
    return exitCode;
  },
});
