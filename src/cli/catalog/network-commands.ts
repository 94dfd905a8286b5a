import { type CatalogEntry, entry } from "./entry.ts";

/** Commands on networks. */
export const NETWORK_COMMANDS: readonly CatalogEntry[] = [
  entry(
    "network connect",
    "Connect a container to a network",
    async () => (await import("../commands/network-connect.ts")).connectNetwork,
  ),
  entry(
    "network create",
    "Create a network",
    async () => (await import("../commands/network-create.ts")).createNetwork,
  ),
  entry(
    "network disconnect",
    "Disconnect a container from a network",
    async () => (await import("../commands/network-disconnect.ts")).disconnectNetwork,
  ),
  entry(
    "network inspect",
    "Display detailed information on one or more networks",
    async () => (await import("../commands/inspect.ts")).inspectNetworks,
  ),
  entry(
    "network ls, network list",
    "List networks",
    async () => (await import("../commands/network-ls.ts")).listNetworks,
  ),
  entry(
    "network prune",
    "Remove all unused networks",
    async () => (await import("../commands/network-prune.ts")).pruneNetworks,
  ),
  entry(
    "network rm, network remove",
    "Remove one or more networks",
    async () => (await import("../commands/network-rm.ts")).removeNetworks,
  ),
  entry("ports", "Show who can reach which port", async () => (await import("../commands/ports.ts")).ports),
];
