import type { CommitImages, CommitRequest } from "#container/commit.ts";
import { commitContainer } from "#container/commit.ts";
import { ContainerFiles, type ContainerFilesOptions } from "#container/container-files.ts";
import type { Containers } from "#container/containers.ts";
import type { ApplyChanges } from "#image/import.ts";
import type { Image } from "#image/image.ts";
import type { ImageStore } from "#image/image-store.ts";
import type { Clock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import { decodeImageConfig, MAX_CONFIG_BYTES } from "#oci/image-config.ts";
import { decodeManifestDocument, MAX_MANIFEST_BYTES } from "#oci/manifest.ts";
import { FileArchiver } from "#store/archive/file-archiver.ts";
import type { ContentStore } from "#store/content/content-store.ts";
import type { Database } from "#store/metadata/database.ts";
import type { OverlaySnapshotter } from "#store/snapshot/overlay-snapshotter.ts";
import type { Route } from "./http/route.ts";
import { commitRoutes } from "./routes/commit.ts";
import { containerArchiveRoutes } from "./routes/containers-archive.ts";

export interface ContainerFilesParts extends Pick<ContainerFilesOptions, "volumes" | "openRoot" | "emit"> {
  readonly containers: Containers;
  readonly images: ImageStore;
  readonly content: ContentStore;
  readonly snapshots: OverlaySnapshotter;
  readonly leases: Database["leases"];
  readonly applyChanges: ApplyChanges;
  readonly clock: Clock;
}

/** The routes that get files and layers in and out of containers, with the rooms they need put together. */
export function containerFilesRoutes(parts: ContainerFilesParts): Route[] {
  const archiver = new FileArchiver();
  const { images, content } = parts;
  const commitImages: CommitImages<Image> = {
    ofContainer: (record) => imageOfContainer(content, record),
    create: (image) => images.create(image),
    tag: (image, reference) => images.tag(image, reference),
  };
  const layer: FileArchiver["layer"] = (upper, signal) => archiver.layer(upper, signal);
  const options = { ...parts, images: commitImages, layer };
  return [
    ...containerArchiveRoutes(new ContainerFiles({ ...parts, archiver })),
    ...commitRoutes((request: CommitRequest, signal) => commitContainer(options, request, signal)),
  ];
}

/** Its manifest and configuration by digest: the image may have lost its names since the container was made. */
async function imageOfContainer(
  content: ContentStore,
  { imageId, manifestDigest }: Parameters<CommitImages<Image>["ofContainer"]>[0],
): ReturnType<CommitImages<Image>["ofContainer"]> {
  const document = decodeManifestDocument(await content.readBytes(manifestDigest, MAX_MANIFEST_BYTES));
  if (document.kind !== "manifest") {
    throw new EngineError("corrupt", `Cannot commit: ${manifestDigest} is no manifest of an image`);
  }
  const { manifest } = document;
  const config = decodeImageConfig(await content.readBytes(manifest.config.digest, MAX_CONFIG_BYTES));
  return { id: imageId, manifest, config };
}
