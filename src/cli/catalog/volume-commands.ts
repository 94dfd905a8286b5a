import { type CatalogEntry, entry } from "./entry.ts";

/** Commands on volumes. */
export const VOLUME_COMMANDS: readonly CatalogEntry[] = [
  entry(
    "volume clone",
    "Make a new volume with the content of another",
    async () => (await import("../commands/volume-clone.ts")).cloneVolume,
  ),
  entry(
    "volume create",
    "Create a volume",
    async () => (await import("../commands/volume-create.ts")).createVolume,
  ),
  entry(
    "volume export",
    "Export a volume's content as a tar archive",
    async () => (await import("../commands/volume-export.ts")).exportVolume,
  ),
  entry(
    "volume import",
    "Fill a volume from a tar archive",
    async () => (await import("../commands/volume-import.ts")).importVolume,
  ),
  entry(
    "volume inspect",
    "Display detailed information on one or more volumes",
    async () => (await import("../commands/inspect.ts")).inspectVolumes,
  ),
  entry(
    "volume ls, volume list",
    "List volumes",
    async () => (await import("../commands/volume-ls.ts")).listVolumes,
  ),
  entry(
    "volume prune",
    "Remove unused local volumes",
    async () => (await import("../commands/volume-prune.ts")).pruneVolumes,
  ),
  entry(
    "volume rename",
    "Rename a volume",
    async () => (await import("../commands/volume-rename.ts")).renameVolume,
  ),
  entry(
    "volume rm, volume remove",
    "Remove one or more volumes",
    async () => (await import("../commands/volume-rm.ts")).removeVolumes,
  ),
  entry(
    "volume update",
    "Update a volume (cluster volumes only)",
    async () => (await import("../commands/volume-update.ts")).updateVolume,
  ),
];
