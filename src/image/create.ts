import type { Descriptor } from "#oci/descriptor.ts";
import { encodeImageConfig, type ImageConfig } from "#oci/image-config.ts";
import { encodeDocument, type Manifest } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import type { Reference } from "#oci/reference.ts";
import type { Image } from "./image.ts";
import type { ImageParts } from "./parts.ts";
import { checkLayers, readImage } from "./read-image.ts";

/** An image whose layers are stored blobs already. */
export interface NewImage {
  readonly config: ImageConfig;
  /** Lowest first, one for each of the config's diff IDs. */
  readonly layers: readonly Descriptor[];
  /** Without one the image is dangling. */
  readonly reference?: Reference | undefined;
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/**
 * Writes config and manifest, then sets the reference. The same content gives the same image. Emits nothing: the caller
 * knows what happened. It holds the layers by a lease of its own until this returns.
 *
 * @throws {EngineError} invalid when layers and diff IDs do not agree; not-found when a layer is not stored
 */
export async function writeImage(
  parts: Pick<ImageParts, "content" | "records" | "catalog">,
  { config, layers, reference, annotations }: NewImage,
): Promise<Image> {
  using lease = parts.records.leases.open();
  for (const { digest } of layers) lease.holdBlob(digest);
  const storedConfig = await parts.content.writeBytes(encodeImageConfig(config));
  const manifest: Manifest = {
    mediaType: MEDIA_TYPE.ociManifest,
    config: { mediaType: MEDIA_TYPE.ociConfig, digest: storedConfig.digest, size: storedConfig.size },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    ...(annotations && { annotations }),
  };
  checkLayers(manifest, config.diffIds.length);
  const { digest, size } = await parts.content.writeBytes(encodeDocument(manifest));
  lease.holdBlob(storedConfig.digest);
  lease.holdBlob(digest);
  const content = await readImage(parts.content, { mediaType: MEDIA_TYPE.ociManifest, digest, size });
  return parts.catalog.set(reference, content);
}
