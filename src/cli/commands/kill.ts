import { command } from "../command.ts";
import { forEachArgument } from "../for-each.ts";

export const kill = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  arguments: { min: 1 },
  flags: { signal: { type: "string", short: "s", help: "Signal to send to the container" } },
  run(args, { signal }, context) {
    return forEachArgument(args, context, async (id) => {
      await context.client.killContainer(id, signal);
      return id;
    });
  },
});
