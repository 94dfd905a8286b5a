import { type CatalogEntry, common, entry } from "./entry.ts";

/** Commands on the engine, and on objects of any kind. */
export const SYSTEM_COMMANDS: readonly CatalogEntry[] = [
  entry(
    "login",
    "Authenticate to a registry",
    async () => (await import("../commands/login.ts")).login,
    common,
  ),
  entry(
    "logout",
    "Log out from a registry",
    async () => (await import("../commands/logout.ts")).logout,
    common,
  ),
  entry(
    "search",
    "Search Docker Hub for images",
    async () => (await import("../commands/search.ts")).search,
    common,
  ),
  entry(
    "version",
    "Show the Darse version information",
    async () => (await import("../commands/version.ts")).version,
    common,
  ),
  entry(
    "system info, info",
    "Display system-wide information",
    async () => (await import("../commands/info.ts")).info,
    common,
  ),
  entry(
    "system events, events",
    "Get real time events from the server",
    async () => (await import("../commands/events.ts")).events,
  ),
  entry(
    "inspect",
    "Return low-level information on Docker objects",
    async () => (await import("../commands/inspect.ts")).inspect,
  ),
  entry("system df", "Show disk usage", async () => (await import("../commands/system-df.ts")).diskUsage),
  entry(
    "system prune",
    "Remove unused data",
    async () => (await import("../commands/system-prune.ts")).pruneSystem,
  ),
  entry(
    "system dial-stdio",
    "Proxy the stdio stream to the engine connection",
    async () => (await import("../commands/system-dial-stdio.ts")).dialStdio,
    "Hidden",
  ),
];
