import { command } from "../command.ts";
import { parseIpam } from "../specs/ipam.ts";
import { parseKeyValues } from "../specs/key-values.ts";

export const createNetwork = command({
  usage: "[OPTIONS] NETWORK",
  arguments: { min: 1, max: 1 },
  flags: {
    attachable: { type: "bool", help: "Enable manual container attachment" },
    auxAddress: {
      type: "list",
      metavar: "map",
      defaultText: "map[]",
      help: "Auxiliary IPv4 or IPv6 addresses used by Network driver",
    },
    configFrom: { type: "string", help: "The network from which to copy the configuration" },
    configOnly: { type: "bool", help: "Create a configuration only network" },
    driver: {
      type: "string",
      short: "d",
      defaultText: '"bridge"',
      help: "Driver to manage the Network",
    },
    gateway: { type: "strings", help: "IPv4 or IPv6 Gateway for the master subnet" },
    ingress: { type: "bool", help: "Create swarm routing-mesh network" },
    internal: { type: "bool", help: "Restrict external access to the network" },
    ipRange: { type: "strings", help: "Allocate container ip from a sub-range" },
    ipamDriver: { type: "string", defaultText: '"default"', help: "IP Address Management Driver" },
    ipamOpt: {
      type: "list",
      metavar: "map",
      defaultText: "map[]",
      help: "Set IPAM driver specific options",
    },
    ipv4: { type: "bool", default: true, help: "Enable or disable IPv4 address assignment" },
    ipv6: { type: "bool", help: "Enable or disable IPv6 address assignment" },
    label: { type: "list", help: "Set metadata on a network" },
    opt: {
      type: "list",
      short: "o",
      metavar: "map",
      defaultText: "map[]",
      help: "Set driver specific options",
    },
    scope: { type: "string", help: "Control the network's scope" },
    subnet: { type: "strings", help: "Subnet in CIDR format that represents a network segment" },
  },
  async run([name = ""], flags, context) {
    const pools = parseIpam({
      subnets: flags.subnet,
      ranges: flags.ipRange,
      gateways: flags.gateway,
      auxAddresses: parseKeyValues(flags.auxAddress),
    });
    const { Id, Warning } = await context.client.networks.create({
      Name: name,
      Driver: flags.driver ?? "bridge",
      Scope: flags.scope ?? "",
      // Not said leaves it to the engine's own default.
      EnableIPv4: context.given.has("ipv4") ? flags.ipv4 : undefined,
      EnableIPv6: context.given.has("ipv6") ? flags.ipv6 : undefined,
      IPAM: {
        Driver: flags.ipamDriver ?? "default",
        Options: parseKeyValues(flags.ipamOpt),
        Config: pools,
      },
      Internal: flags.internal,
      Attachable: flags.attachable,
      Ingress: flags.ingress,
      ConfigOnly: flags.configOnly,
      ConfigFrom: flags.configFrom === undefined ? undefined : { Network: flags.configFrom },
      Options: parseKeyValues(flags.opt),
      Labels: parseKeyValues(flags.label),
    });
    if (Warning) context.error.write(`WARNING: ${Warning}\n`);
    context.out.write(`${Id}\n`);
    return 0;
  },
});
