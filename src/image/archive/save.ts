import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type Digest, digestHex } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { formatPlatform, type Platform } from "#oci/platform.ts";
import { familiarReference, parseReference, type Reference } from "#oci/reference.ts";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { type TarBody, writeTar } from "#oci/tar/tar-writer.ts";
import type { Image, ImageVariant } from "../image.ts";
import { variantFor } from "../read-image.ts";
import type { Content } from "../stores.ts";

/** One image to save and the names to save it under: none for an image asked for by its id. */
export interface ImageToSave {
  readonly image: Image;
  readonly references: readonly Reference[];
}

/**
 * An archive in the form of `docker save` 28: an OCI image layout with `manifest.json` beside it, entries in the order
 * of their names. Equal images give equal bytes. [moby daemon/containerd/image_exporter.go]
 */
export function saveArchive(images: readonly ImageToSave[], content: Content): AsyncIterable<Uint8Array> {
  return writeTar(entries(images, content));
}

async function* entries(
  images: readonly ImageToSave[],
  content: Content,
): AsyncGenerator<readonly [TarEntry, TarBody?]> {
  const blobs = new Map(images.flatMap(({ image }) => blobsOf(image)));
  const folders = new Set(["blobs"]);
  for (const digest of blobs.keys()) folders.add(`blobs/${digest.slice(0, digest.indexOf(":"))}`);
  for (const path of [...folders].toSorted()) yield [entry(path, "directory", 0)];
  for (const digest of [...blobs.keys()].toSorted()) {
    yield [entry(blobPath(digest), "file", blobs.get(digest) ?? 0), content.read(digest)];
  }
  yield document("index.json", {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: images.flatMap(({ image, references }) => indexEntries(image.target, references)),
  });
  yield document("manifest.json", manifestList(images));
  yield document("oci-layout", { imageLayoutVersion: "1.0.0" });
}

/** The image with no other platforms than these. @throws {EngineError} not-found when it has nothing for one of them */
export function onlyPlatforms(image: Image, platforms: readonly Platform[]): Image {
  const chosen = platforms.map((platform) => {
    const variant = variantFor(image.variants, platform);
    if (variant) return variant;
    throw new EngineError(
      "not-found",
      `image with reference ${image.id} was found but does not provide the specified platform (${formatPlatform(platform)})`,
    );
  });
  const [variant] = chosen;
  if (!variant) return image;
  return {
    ...image,
    variants: image.variants.filter((other) => chosen.some((one) => one === other)),
    manifest: variant.manifest,
    manifestDigest: variant.descriptor.digest,
    configDigest: variant.manifest.config.digest,
    config: variant.config,
  };
}

/** Every blob of an image that is here, with its size. */
export function blobsOf({ target, variants }: Pick<Image, "target" | "variants">): [Digest, number][] {
  return [target, ...variants.flatMap(descriptorsOf)].map(({ digest, size }) => [digest, size]);
}

function descriptorsOf(variant: ImageVariant): readonly Descriptor[] {
  switch (variant.kind) {
    case "present":
      return [variant.descriptor, variant.manifest.config, ...variant.manifest.layers];
    case "attestation":
      return variant.blobs;
    case "absent":
      return [];
  }
}

function indexEntries(target: Descriptor, references: readonly Reference[]): Descriptor[] {
  const { mediaType, digest, size } = target;
  if (references.length === 0) return [{ mediaType, digest, size }];
  return references.map((reference) => {
    const { tag } = parseReference(reference);
    const annotations = {
      "io.containerd.image.name": reference,
      ...(tag !== undefined && { "org.opencontainers.image.ref.name": tag }),
    };
    return { mediaType, digest, size, annotations };
  });
}

function manifestList(images: readonly ImageToSave[]): unknown[] {
  const items = new Map<Digest, { image: Image; names: Set<string> }>();
  for (const { image, references } of images) {
    const item = items.get(image.manifestDigest) ?? { image, names: new Set() };
    items.set(image.manifestDigest, item);
    for (const name of references.map(parseReference)) {
      if (name.digest === undefined) item.names.add(familiarReference(name));
    }
  }
  return [...items.values()].map(({ image, names }) => ({
    Config: blobPath(image.configDigest),
    RepoTags: names.size === 0 ? null : [...names],
    Layers: image.manifest.layers.map((layer) => blobPath(layer.digest)),
  }));
}

function blobPath(digest: Digest): string {
  return `blobs/${digest.slice(0, digest.indexOf(":"))}/${digestHex(digest)}`;
}

function document(path: string, value: unknown): readonly [TarEntry, TarBody] {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return [entry(path, "file", bytes.byteLength), [bytes]];
}

function entry(path: string, type: "file" | "directory", size: number): TarEntry {
  const mode = type === "directory" ? 0o755 : 0o444;
  return { path, type, mode, uid: 0, gid: 0, size, mtimeNs: 0n, xattrs: new Map() };
}
