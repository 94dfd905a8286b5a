import { command } from "../command.ts";

export const renameVolume = command({
  usage: "VOLUME NEW_NAME",
  arguments: { min: 2, max: 2 },
  flags: {},
  async run([name = "", newName = ""], _flags, context) {
    await context.client.volumes.rename(name, newName);
    return 0;
  },
});
