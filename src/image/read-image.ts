import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { decodeImageConfig, MAX_CONFIG_BYTES } from "#oci/image-config.ts";
import { decodeManifestDocument, isAttestation, type Manifest, MAX_MANIFEST_BYTES } from "#oci/manifest.ts";
import { platformMatches } from "#oci/platform.ts";
import type { ImageContent, ImageVariant, PresentVariant } from "./image.ts";
import type { Content } from "./stores.ts";

/**
 * What `target` points at, as far as it is here.
 *
 * @throws {EngineError} not-found when no platform of it is complete; invalid or corrupt for a document that cannot be
 * read
 */
export async function readImage(content: Content, target: Descriptor): Promise<ImageContent> {
  const bytes = await content.readBytes(target.digest, MAX_MANIFEST_BYTES);
  const document = decodeManifestDocument(bytes, target.mediaType);
  if (document.kind === "manifest") {
    const variant = await readVariant(content, target, document.manifest);
    if (variant.kind !== "present") throw incomplete(target);
    return { target, variants: [variant], sizeBytes: variant.sizeBytes };
  }
  const variants = await Promise.all(document.index.manifests.map((entry) => readEntry(content, entry)));
  if (!variants.some((variant) => variant.kind === "present")) throw incomplete(target);
  const sizeBytes = variants.reduce(
    (sum, variant) => sum + (variant.kind === "present" ? variant.sizeBytes : 0),
    bytes.byteLength,
  );
  return { target, variants, sizeBytes };
}

function incomplete(target: Descriptor): EngineError {
  return new EngineError(
    "not-found",
    `Cannot read image ${target.digest}: no platform of it is complete here`,
  );
}

async function readEntry(content: Content, entry: Descriptor): Promise<ImageVariant> {
  const isImage = !isAttestation(entry);
  const nothing: ImageVariant = isImage
    ? { kind: "absent", descriptor: entry }
    : { kind: "attestation", descriptor: entry, blobs: [] };
  if ((await content.find(entry.digest)) === undefined) return nothing;
  const document = decodeManifestDocument(
    await content.readBytes(entry.digest, MAX_MANIFEST_BYTES),
    entry.mediaType,
  );
  if (document.kind === "index") return nothing;
  if (!isImage) {
    const blobs = await present(content, [entry, document.manifest.config, ...document.manifest.layers]);
    return { kind: "attestation", descriptor: entry, blobs };
  }
  return await readVariant(content, entry, document.manifest);
}

async function present(content: Content, blobs: readonly Descriptor[]): Promise<Descriptor[]> {
  const found = await Promise.all(blobs.map(({ digest }) => content.find(digest)));
  return blobs.filter((_, index) => found[index] !== undefined);
}

async function readVariant(
  content: Content,
  descriptor: Descriptor,
  manifest: Manifest,
): Promise<ImageVariant> {
  const found = await Promise.all(
    [manifest.config, ...manifest.layers].map(({ digest }) => content.find(digest)),
  );
  let sizeBytes = descriptor.size;
  for (const blob of found) {
    if (blob === undefined) return { kind: "absent", descriptor };
    sizeBytes += blob.size;
  }
  const config = decodeImageConfig(await content.readBytes(manifest.config.digest, MAX_CONFIG_BYTES));
  checkLayers(manifest, config.diffIds.length);
  const platform = descriptor.platform ?? config.platform;
  return { kind: "present", descriptor, platform, manifest, config, sizeBytes };
}

/** Every layer must have its diff ID, or snapshots would be made from the wrong ones. */
export function checkLayers(manifest: Manifest, diffIds: number): void {
  if (manifest.layers.length === diffIds) return;
  throw new EngineError(
    "invalid",
    `Cannot use image config ${manifest.config.digest}: it names ${diffIds} layers, its manifest ${manifest.layers.length}`,
  );
}

/** The entry for `wanted`, or else the first that is here. */
export function bestVariant(
  variants: readonly ImageVariant[],
  wanted: Parameters<typeof platformMatches>[0],
): PresentVariant | undefined {
  return variantFor(variants, wanted) ?? variants.find((variant) => variant.kind === "present");
}

/** The entry for exactly `wanted`, when it is here. */
export function variantFor(
  variants: readonly ImageVariant[],
  wanted: Parameters<typeof platformMatches>[0],
): PresentVariant | undefined {
  return variants
    .filter((variant) => variant.kind === "present")
    .find((variant) => platformMatches(wanted, variant.platform));
}
