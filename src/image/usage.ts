import { type ChainId, chainIds, type Digest } from "#oci/digest.ts";
import { blobsOf } from "./archive/save.ts";
import type { Image } from "./image.ts";

/** What a layer takes unpacked; `undefined` when it is not. */
export type SizeOf = (chainId: ChainId) => number | undefined;

export interface ImageUsage {
  /** Blobs and snapshots of all images, each counted once. */
  readonly totalBytes: number;
  /** Of each image: its snapshots that other images have too. */
  readonly sharedBytes: ReadonlyMap<Digest, number>;
}

export function unpackedBytes(image: Pick<Image, "config">, sizeOf: SizeOf): number {
  return chainIds(image.config.diffIds).reduce((sum, chainId) => sum + (sizeOf(chainId) ?? 0), 0);
}

export function usageOf(images: readonly Image[], sizeOf: SizeOf): ImageUsage {
  const holders = new Map<ChainId, number>();
  const chains = images.map((image) => ({ id: image.id, chain: chainIds(image.config.diffIds) }));
  for (const chainId of chains.flatMap(({ chain }) => chain))
    holders.set(chainId, (holders.get(chainId) ?? 0) + 1);
  const blobs = new Map(images.flatMap(blobsOf));
  const sum = (sizes: Iterable<number>): number => [...sizes].reduce((total, size) => total + size, 0);
  return {
    totalBytes: sum(blobs.values()) + sum([...holders.keys()].map((chainId) => sizeOf(chainId) ?? 0)),
    sharedBytes: new Map(
      chains.map(({ id, chain }) => {
        const shared = chain.filter((chainId) => (holders.get(chainId) ?? 0) > 1);
        return [id, sum(shared.map((chainId) => sizeOf(chainId) ?? 0))] as const;
      }),
    ),
  };
}
