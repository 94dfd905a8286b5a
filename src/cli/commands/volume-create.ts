import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { parseKeyValues } from "../specs/key-values.ts";

export const createVolume = command({
  usage: "[OPTIONS] [VOLUME]",
  arguments: { min: 0, max: 1 },
  flags: {
    driver: { type: "string", short: "d", help: "Specify volume driver name", defaultText: '"local"' },
    label: { type: "list", help: "Set metadata for a volume" },
    name: { type: "string", help: "Specify volume name", hidden: true },
    opt: { type: "list", short: "o", metavar: "map", help: "Set driver specific options" },
  },
  async run([argument], { driver = "local", label, name, opt }, context) {
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
