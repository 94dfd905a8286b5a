import type { Descriptor } from "#oci/descriptor.ts";
import { chainIds } from "#oci/digest.ts";
import { tagsOf } from "./catalog.ts";
import type { Image } from "./image.ts";
import type { SizeOf } from "./usage.ts";

/** One step of how an image was made. */
export interface HistoryStep {
  /** Only of the newest: the image's own. */
  readonly id?: string;
  /** Epoch milliseconds; 0 when not known. */
  readonly createdAt: number;
  readonly createdBy: string;
  readonly tags: readonly string[];
  /** Of the layer; 0 for a step that made none. */
  readonly sizeBytes: number;
  readonly comment: string;
}

/**
 * The steps of an image, newest first. Steps that made no layer take none of the layers; layers without a step (the
 * config's history may be shorter, or missing) get one that says nothing.
 *
 * @param unpackedSize what a layer takes unpacked, `undefined` when it is not
 */
export function historyOf(image: Image, unpackedSize: SizeOf): HistoryStep[] {
  const chain = chainIds(image.config.diffIds);
  const sizeAt = (index: number, layer: Descriptor): number => {
    const chainId = chain[index];
    return (chainId && unpackedSize(chainId)) ?? layer.size;
  };
  const sizes = image.manifest.layers.map((layer, index) => sizeAt(index, layer));
  let next = 0;
  const steps = image.config.history.map((entry) => ({
    createdAt: epochMs(entry.created),
    createdBy: entry.createdBy ?? "",
    tags: [],
    sizeBytes: entry.emptyLayer ? 0 : (sizes[next++] ?? 0),
    comment: entry.comment ?? "",
  }));
  const createdAt = epochMs(image.config.created);
  const untold = sizes
    .slice(next)
    .map((sizeBytes) => ({ createdAt, createdBy: "", tags: [], sizeBytes, comment: "" }));
  const [top, ...rest] = [...steps, ...untold].toReversed();
  return top ? [{ ...top, id: image.id, tags: tagsOf(image) }, ...rest] : [];
}

function epochMs(text: string | undefined): number {
  const at = Date.parse(text ?? "");
  return Number.isNaN(at) ? 0 : at;
}
