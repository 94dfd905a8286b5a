import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";

export const updateVolume = command({
  usage: "[OPTIONS] [VOLUME]",
  arguments: { min: 1, max: 1 },
  flags: {
    availability: {
      type: "string",
      defaultText: '"active"',
      help: 'Cluster Volume availability ("active", "pause", "drain")',
    },
  },
  /** What can be changed belongs to cluster volumes, which only a swarm has; the name is looked up first, as in Docker. */
  async run([name = ""], _flags, context) {
    await context.client.volumes.inspectRaw(name);
    throw new EngineError("invalid", "can only update cluster volumes");
  },
});
