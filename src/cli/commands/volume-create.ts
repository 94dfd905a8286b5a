import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { flagName, type FlagSpecs } from "../flags.ts";
import { parseKeyValues } from "../specs/key-values.ts";

/** Of swarms: Docker hides them outside of one. */
const clusterFlags = {
  availability: { type: "string", hidden: true, help: "Cluster Volume availability" },
  group: { type: "string", hidden: true, help: "Cluster Volume group" },
  limitBytes: { type: "bytes", hidden: true, help: "Minimum size of the Cluster Volume in bytes" },
  requiredBytes: { type: "bytes", hidden: true, help: "Maximum size of the Cluster Volume in bytes" },
  scope: { type: "string", hidden: true, help: "Cluster Volume access scope" },
  secret: { type: "list", hidden: true, help: "Cluster Volume secrets" },
  sharing: { type: "string", hidden: true, help: "Cluster Volume access sharing" },
  topologyPreferred: { type: "list", hidden: true, help: "A topology that is preferred" },
  topologyRequired: { type: "list", hidden: true, help: "A topology that is required" },
  type: { type: "string", hidden: true, help: "Cluster Volume access type" },
} as const satisfies FlagSpecs;

export const createVolume = command({
  usage: "[OPTIONS] [VOLUME]",
  arguments: { min: 0, max: 1 },
  flags: {
    driver: { type: "string", short: "d", defaultText: '"local"', help: "Specify volume driver name" },
    label: { type: "list", help: "Set metadata for a volume" },
    name: { type: "string", help: "Specify volume name", hidden: true },
    opt: {
      type: "list",
      short: "o",
      metavar: "map",
      defaultText: "map[]",
      help: "Set driver specific options",
    },
    ...clusterFlags,
  },
  async run([argument], { driver = "local", label, name, opt }, context) {
    const cluster = Object.keys(clusterFlags).find((key) => context.given.has(key));
    if (cluster !== undefined) {
      throw new EngineError(
        "unsupported",
        `Cannot use --${flagName(cluster)}: it is for cluster volumes, and there is no swarm mode`,
      );
    }
    if (argument !== undefined && name !== undefined) {
      throw new EngineError(
        "invalid",
        "conflicting options: either specify --name or provide positional arg, not both",
      );
    }
    const volume = await context.client.volumes.create({
      Name: argument ?? name,
      Driver: driver,
      DriverOpts: parseKeyValues(opt),
      Labels: parseKeyValues(label),
    });
    context.out.write(`${volume.Name}\n`);
    return 0;
  },
});
