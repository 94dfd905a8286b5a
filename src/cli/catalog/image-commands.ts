import { type CatalogEntry, common, entry } from "./entry.ts";

/** Commands on images. */
export const IMAGE_COMMANDS: readonly CatalogEntry[] = [
  entry(
    "image build, build, builder build",
    "Build an image from a Dockerfile",
    async () => (await import("../commands/build.ts")).build,
    common,
  ),
  entry(
    "image pull, pull",
    "Download an image from a registry",
    async () => (await import("../commands/pull.ts")).pull,
    common,
  ),
  entry(
    "image push, push",
    "Upload an image to a registry",
    async () => (await import("../commands/push.ts")).push,
    common,
  ),
  entry(
    "image ls, image list, images",
    "List images",
    async () => (await import("../commands/images.ts")).images,
    common,
  ),
  entry(
    "image history, history",
    "Show the history of an image",
    async () => (await import("../commands/history.ts")).history,
  ),
  entry(
    "image import, import",
    "Import the contents from a tarball to create a filesystem image",
    async () => (await import("../commands/import.ts")).importImage,
  ),
  entry(
    "image inspect",
    "Display detailed information on one or more images",
    async () => (await import("../commands/inspect.ts")).inspectImages,
  ),
  entry(
    "image load, load",
    "Load an image from a tar archive or STDIN",
    async () => (await import("../commands/load.ts")).load,
  ),
  entry(
    "image prune",
    "Remove unused images",
    async () => (await import("../commands/image-prune.ts")).pruneImages,
  ),
  entry(
    "image rm, image remove, rmi",
    "Remove one or more images",
    async () => (await import("../commands/rmi.ts")).rmi,
  ),
  entry(
    "image save, save",
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    async () => (await import("../commands/save.ts")).save,
  ),
  entry(
    "image tag, tag",
    "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    async () => (await import("../commands/tag.ts")).tag,
  ),
  entry(
    "builder prune",
    "Remove build cache",
    async () => (await import("../commands/builder-prune.ts")).pruneBuildCache,
  ),
];
