import { command } from "../command.ts";
import { UsageError } from "../usage-error.ts";

export const rename = command({
  usage: "CONTAINER NEW_NAME",
  arguments: { min: 2, max: 2 },
  flags: {},
  async run([id = "", name = ""], _flags, context) {
    if (id.trim() === "" || name.trim() === "")
      throw new UsageError("neither old nor new names may be empty");
    await context.client.renameContainer(id, name);
    return 0;
  },
});
