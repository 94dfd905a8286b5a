import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { cutAt } from "../specs/key-values.ts";
import { checkLink } from "../specs/link.ts";
import { checkAddress } from "../specs/subnet.ts";

export const connectNetwork = command({
  usage: "[OPTIONS] NETWORK CONTAINER",
  arguments: { min: 2, max: 2 },
  flags: {
    alias: { type: "strings", help: "Add network-scoped alias for the container" },
    driverOpt: { type: "strings", help: "driver options for the network" },
    gwPriority: {
      type: "int",
      help: "Highest gw-priority provides the default gateway. Accepts positive and negative values.",
    },
    ip: { type: "string", help: 'IPv4 address (e.g., "172.30.100.104")' },
    ip6: { type: "string", help: 'IPv6 address (e.g., "2001:db8::33")' },
    link: { type: "list", help: "Add link to another container" },
    linkLocalIp: { type: "strings", help: "Add a link-local address for the container" },
  },
  async run([network = "", container = ""], flags, context) {
    const { alias, driverOpt, gwPriority, ip, ip6, link, linkLocalIp } = flags;
    await context.client.networks.connect(network, {
      Container: container,
      EndpointConfig: {
        IPAMConfig: {
          IPv4Address: ip && checkAddress(ip),
          IPv6Address: ip6 && checkAddress(ip6),
          LinkLocalIPs: linkLocalIp.length > 0 ? linkLocalIp.map(checkAddress) : undefined,
        },
        Links: link.length > 0 ? link.map(checkLink) : undefined,
        Aliases: alias.length > 0 ? alias : undefined,
        DriverOpts: driverOpt.length > 0 ? Object.fromEntries(driverOpt.map(driverOption)) : undefined,
        GwPriority: gwPriority,
      },
    });
    return 0;
  },
});

function driverOption(text: string): [string, string] {
  const [key, value] = cutAt(text, "=");
  if (value === undefined || key.trim() === "") {
    throw new EngineError("invalid", "invalid key/value pair format in driver options");
  }
  return [key.trim(), value.trim()];
}
