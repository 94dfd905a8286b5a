import { type CatalogEntry, entry } from "./entry.ts";

/** Commands on lists of manifests. */
export const MANIFEST_COMMANDS: readonly CatalogEntry[] = [
  entry(
    "manifest annotate",
    "Add additional information to a local image manifest",
    async () => (await import("../commands/manifest-annotate.ts")).annotateManifest,
  ),
  entry(
    "manifest create",
    "Create a local manifest list for annotating and pushing to a registry",
    async () => (await import("../commands/manifest-create.ts")).createManifest,
  ),
  entry(
    "manifest inspect",
    "Display an image manifest, or manifest list",
    async () => (await import("../commands/manifest-inspect.ts")).inspectManifest,
  ),
  entry(
    "manifest push",
    "Push a manifest list to a repository",
    async () => (await import("../commands/manifest-push.ts")).pushManifest,
  ),
  entry(
    "manifest rm",
    "Delete one or more manifest lists from local storage",
    async () => (await import("../commands/manifest-rm.ts")).removeManifests,
  ),
];
