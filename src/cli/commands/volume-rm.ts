import { command } from "../command.ts";
import { forEachArgument } from "../for-each.ts";

export const removeVolumes = command({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  arguments: { min: 1 },
  flags: { force: { type: "bool", short: "f", help: "Force the removal of one or more volumes" } },
  run(args, { force }, context) {
    return forEachArgument(args, context, async (name) => {
      await context.client.volumes.remove(name, { force });
      return name;
    });
  },
});
