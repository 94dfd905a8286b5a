import { command } from "../command.ts";

export const disconnectNetwork = command({
  usage: "[OPTIONS] NETWORK CONTAINER",
  arguments: { min: 2, max: 2 },
  flags: {
    force: { type: "bool", short: "f", help: "Force the container to disconnect from a network" },
  },
  async run([network = "", container = ""], { force }, context) {
    await context.client.networks.disconnect(network, { Container: container, Force: force });
    return 0;
  },
});
