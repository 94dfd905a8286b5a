import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { forEachArgument } from "../for-each.ts";

export const rm = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  arguments: { min: 1 },
  flags: {
    force: { type: "bool", short: "f", help: "Force the removal of a running container (uses SIGKILL)" },
    link: { type: "bool", short: "l", help: "Remove the specified link" },
    volumes: { type: "bool", short: "v", help: "Remove anonymous volumes associated with the container" },
  },
  run(args, { force, link, volumes }, context) {
    return forEachArgument(args, context, async (id) => {
      try {
        await context.client.removeContainer(id, { force, link, v: volumes });
      } catch (error) {
        // With --force the aim is that it is gone; the message stays, the exit code does not.
        if (!force || !EngineError.is(error, "not-found")) throw error;
        context.error.write(`Error response from daemon: ${error.message}\n`);
        return undefined;
      }
      return id;
    });
  },
});
