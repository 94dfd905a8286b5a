import { CONTAINER_COMMANDS } from "./catalog/container-commands.ts";
import type { CatalogEntry } from "./catalog/entry.ts";
import { IMAGE_COMMANDS } from "./catalog/image-commands.ts";
import { MANIFEST_COMMANDS } from "./catalog/manifest-commands.ts";
import { NETWORK_COMMANDS } from "./catalog/network-commands.ts";
import { SYSTEM_COMMANDS } from "./catalog/system-commands.ts";
import { VOLUME_COMMANDS } from "./catalog/volume-commands.ts";

/** A word with commands below it. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
}

export const GROUPS: readonly CommandGroup[] = [
  { name: "builder", summary: "Manage builds" },
  { name: "container", summary: "Manage containers" },
  { name: "image", summary: "Manage images" },
  { name: "manifest", summary: "Manage image manifests and manifest lists" },
  { name: "network", summary: "Manage networks" },
  { name: "system", summary: "Manage the engine" },
  { name: "volume", summary: "Manage volumes" },
];

/** Every command. Help lists the common ones in this order, which is Docker's. */
export const CATALOG: readonly CatalogEntry[] = [
  ...CONTAINER_COMMANDS,
  ...IMAGE_COMMANDS,
  ...SYSTEM_COMMANDS,
  ...MANIFEST_COMMANDS,
  ...NETWORK_COMMANDS,
  ...VOLUME_COMMANDS,
];

/** Programs of the same executable that are no API clients; `src/main.ts` starts them. */
export const PROGRAMS: readonly (readonly [string, string])[] = [
  ["daemon", "Run the engine in the foreground"],
  ["doctor", "Find what is missing on this machine, and mend it with --fix"],
  ["registry", "Serve images to others from a registry of your own"],
];

/** The entry called `path`. */
export function findEntry(path: string): CatalogEntry | undefined {
  return CATALOG.find(({ paths }) => paths.includes(path));
}
