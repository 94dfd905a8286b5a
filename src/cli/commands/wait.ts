import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { forEachArgument } from "../for-each.ts";

export const wait = command({
  usage: "CONTAINER [CONTAINER...]",
  arguments: { min: 1 },
  flags: {},
  run(args, _flags, context) {
    return forEachArgument(args, context, async (id) => {
      const { result } = await context.client.waitContainer(id);
      const { StatusCode, Error: failure } = await result;
      if (failure?.Message) throw new EngineError("internal", failure.Message);
      return String(StatusCode);
    });
  },
});
