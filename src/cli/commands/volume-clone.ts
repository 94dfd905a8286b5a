import { command } from "../command.ts";

export const cloneVolume = command({
  usage: "VOLUME NEW_VOLUME",
  arguments: { min: 2, max: 2 },
  flags: {},
  async run([name = "", copy = ""], _flags, context) {
    await context.client.volumes.clone(name, copy);
    context.out.write(`${copy}\n`);
    return 0;
  },
});
