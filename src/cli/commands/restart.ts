import { command } from "../command.ts";
import { forEachArgument } from "../for-each.ts";

export const restart = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  arguments: { min: 1 },
  flags: {
    signal: { type: "string", short: "s", help: "Signal to send to the container" },
    timeout: { type: "int", short: "t", help: "Seconds to wait before killing the container" },
    time: { type: "int", hidden: true, help: "Older name of --timeout" },
  },
  run(args, { signal, timeout, time }, context) {
    return forEachArgument(args, context, async (id) => {
      await context.client.restartContainer(id, { signal, t: timeout ?? time });
      return id;
    });
  },
});
