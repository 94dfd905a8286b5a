import { command } from "../command.ts";
import { forEachArgument } from "../for-each.ts";

export const pause = command({
  usage: "CONTAINER [CONTAINER...]",
  arguments: { min: 1 },
  flags: {},
  run(args, _flags, context) {
    return forEachArgument(args, context, async (id) => {
      await context.client.pauseContainer(id);
      return id;
    });
  },
});
