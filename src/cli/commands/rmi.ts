import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { forEachArgument } from "../for-each.ts";
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
  run(args, { force, noPrune, platform }, context) {
    return forEachArgument(args, context, async (name) => {
      const query = { force, noprune: noPrune, platforms: platform.map(platformJson) };
      try {
        const items = await context.client.images.remove(name, query);
        return items
          .map((item) =>
            item.Deleted === undefined ? `Untagged: ${item.Untagged}` : `Deleted: ${item.Deleted}`,
          )
          .join("\n");
      } catch (error) {
        if (!force || !EngineError.is(error, "not-found")) throw error;
        context.error.write(`Error response from daemon: ${error.message}\n`);
        return undefined;
      }
    });
  },
});
