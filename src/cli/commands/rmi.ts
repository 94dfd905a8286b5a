import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { describeError } from "../describe-error.ts";
import { platformJson } from "../specs/platform.ts";

export const rmi = command({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  arguments: { min: 1 },
  flags: {
    force: { type: "bool", short: "f", help: "Force removal of the image" },
    noPrune: { type: "bool", help: "Do not delete untagged parents" },
    platform: {
      type: "strings",
      help: 'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
  },
  async run(names, { force, noPrune, platform }, context) {
    const query = { force, noprune: noPrune, platforms: platform.map(platformJson) };
    const failures: EngineError[] = [];
    // One after another: the last name of an image is the one that deletes it.
    for (const name of names) {
      try {
        for (const { Deleted, Untagged } of await context.client.images.remove(name, query)) {
          context.out.write(Deleted === undefined ? `Untagged: ${Untagged}\n` : `Deleted: ${Deleted}\n`);
        }
      } catch (error) {
        if (!EngineError.is(error)) throw error;
        failures.push(error);
      }
    }
    for (const failure of failures) context.error.write(`${describeError(failure, false)}\n`);
    return failures.some(({ kind }) => !force || kind !== "not-found") ? 1 : 0;
  },
});
