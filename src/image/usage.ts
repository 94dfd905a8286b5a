import { type ChainId, chainIds, type Digest } from "#oci/digest.ts";
import { blobsOf } from "./archive/save.ts";
import type { Image } from "./image.ts";

/** What a layer takes unpacked; `undefined` when it is not. */
export type SizeOf = (chainId: ChainId) => number | undefined;

export interface ImageUsage {
  /** Blobs and snapshots of all images, each counted once. */
  readonly totalBytes: number;
  /** What would be free without the images that nobody uses. */
  readonly reclaimableBytes: number;
  /** Of each image: its blobs and snapshots that other images have too. */
  readonly sharedBytes: ReadonlyMap<Digest, number>;
}

export function unpackedBytes(image: Pick<Image, "config">, sizeOf: SizeOf): number {
  return chainIds(image.config.diffIds).reduce((sum, chainId) => sum + (sizeOf(chainId) ?? 0), 0);
}

/** @param isUsed whether a container was made from the image */
export function usageOf(
  images: readonly Image[],
  sizeOf: SizeOf,
  isUsed: (id: Digest) => boolean = () => false,
): ImageUsage {
  const pieces = images.map((image) => ({ id: image.id, pieces: piecesOf(image, sizeOf) }));
  const holders = new Map<string, number>();
  for (const key of pieces.flatMap((image) => [...image.pieces.keys()]))
    holders.set(key, (holders.get(key) ?? 0) + 1);
  const all = new Map(pieces.flatMap((image) => [...image.pieces]));
  const used = new Map(pieces.filter(({ id }) => isUsed(id)).flatMap((image) => [...image.pieces]));
  const totalBytes = sum(all.values());
  return {
    totalBytes,
    reclaimableBytes: totalBytes - sum(used.values()),
    sharedBytes: new Map(
      pieces.map((image) => {
        const shared = [...image.pieces].filter(([key]) => (holders.get(key) ?? 0) > 1);
        return [image.id, sum(shared.map(([, bytes]) => bytes))] as const;
      }),
    ),
  };
}

/** Everything of an image that takes space, each piece once. A lowest layer's blob and snapshot may have one digest. */
function piecesOf(image: Image, sizeOf: SizeOf): Map<string, number> {
  const pieces = new Map<string, number>(blobsOf(image).map(([digest, size]) => [`blob ${digest}`, size]));
  for (const variant of image.variants) {
    if (variant.kind !== "present") continue;
    for (const chainId of chainIds(variant.config.diffIds)) {
      const bytes = sizeOf(chainId);
      if (bytes !== undefined) pieces.set(`snapshot ${chainId}`, bytes);
    }
  }
  return pieces;
}

function sum(sizes: Iterable<number>): number {
  return [...sizes].reduce((total, size) => total + size, 0);
}
