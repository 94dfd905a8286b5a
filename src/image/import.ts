import { EngineError, errorMessage } from "#base/errors.ts";
import { chainIds, type DiffId } from "#oci/digest.ts";
import type { ImageExecutionConfig } from "#oci/image-config.ts";
import { layerCompression } from "#oci/media-types.ts";
import { normalize, type Platform } from "#oci/platform.ts";
import { familiarReference, parseReference, type Reference } from "#oci/reference.ts";
import { layerDescriptor } from "./archive/archived-images.ts";
import { writeImage } from "./create.ts";
import { decompressed, isForeign, sniff } from "./decompress.ts";
import type { Image } from "./image.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { emitImageEvent, type ImageParts } from "./parts.ts";
import type { ApplyLayer, LayerSnapshots, Lease } from "./stores.ts";

export interface ImportOptions {
  readonly reference?: Reference | undefined;
  /** Lines of a Dockerfile that change the config: `CMD ["sh"]`. */
  readonly changes: readonly string[];
  /** Of the only step of the image's history. */
  readonly message: string;
  readonly platform: Platform;
}

/** Applies Dockerfile instructions to a config. @throws {EngineError} invalid, naming the instruction */
export type ApplyChanges = (
  config: ImageExecutionConfig,
  changes: readonly string[],
) => Promise<ImageExecutionConfig>;

export interface Importer {
  readonly parts: ImageParts;
  readonly snapshots: LayerSnapshots;
  readonly applyLayer: ApplyLayer;
  readonly applyChanges: ApplyChanges;
}

/**
 * Makes an image of one layer from the tar of a file system. It is kept as it came, unless it is compressed as no layer
 * may be: with xz or bzip2.
 *
 * @throws {EngineError} invalid or corrupt when it is no such tar; nothing is left behind then
 */
export async function importImage(
  source: AsyncIterable<Uint8Array>,
  { importer, options }: { readonly importer: Importer; readonly options: ImportOptions },
  signal: AbortSignal,
): Promise<Image> {
  const { parts } = importer;
  const config = await importer.applyChanges({}, options.changes);
  using lease = parts.records.leases.open();
  try {
    const blob = await parts.content.write(await asLayer(source), {}, signal);
    if (blob.size === 0) throw new EngineError("invalid", "it is empty");
    lease.holdBlob(blob.digest);
    const layer = await layerDescriptor(blob, parts.content);
    const diffId = await unpackOnly(layer, { importer, lease }, signal);
    const created = new Date(parts.clock()).toISOString();
    const image = await writeImage(parts, {
      config: {
        created,
        platform: normalize(options.platform),
        config,
        diffIds: [diffId],
        history: [{ created, comment: options.message }],
      },
      layers: [layer],
      reference: options.reference,
    });
    const name = options.reference ? familiarReference(parseReference(options.reference)) : image.id;
    emitImageEvent(parts.emit, "import", { image, name });
    return image;
  } catch (error) {
    lease[Symbol.dispose]();
    await parts.tidy();
    if (!EngineError.is(error)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new EngineError(error.kind, `Cannot import the file system: ${errorMessage(error)}`, {
      cause: error,
      ...hint,
    });
  }
}

async function asLayer(source: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const { compression, all } = await sniff(source);
  return isForeign(compression) ? decompressed(all, "it") : all;
}

/** Unpacks the layer, learning its diff ID, which is its chain ID too. */
async function unpackOnly(
  layer: Descriptor,
  { importer, lease }: { readonly importer: Importer; readonly lease: Lease },
  signal: AbortSignal,
): Promise<DiffId> {
  const { parts, snapshots, applyLayer } = importer;
  const compression = layerCompression(layer.mediaType) ?? "none";
  await using draft = await snapshots.draft();
  const applied = await applyLayer(
    { blob: parts.content.path(layer.digest), compression, target: draft.path },
    signal,
  );
  const { diffId, sizeBytes } = applied;
  const [chainId] = chainIds([diffId]);
  if (chainId === undefined) throw new Error("a layer without chain ID");
  lease.holdSnapshot(chainId);
  if (!snapshots.find(chainId)) await draft.commit({ chainId, parent: undefined, diffId, sizeBytes });
  return diffId;
}
