import type { BuildCacheRecord, KindUsage } from "#api/disk-usage.ts";
import { rfc3339 } from "#base/clock.ts";
import { chainIds } from "#oci/digest.ts";

/** A thing that takes space, and whether it is in use. */
export interface Measured<T> {
  readonly item: T;
  readonly sizeBytes: number;
  readonly isActive: boolean;
}

/** What things of one kind take that have nothing in common. */
export function usageOfKind<T>(measured: readonly Measured<T>[]): KindUsage<T> & { readonly Items: T[] } {
  const bytesOf = (some: readonly Measured<T>[]): number =>
    some.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return {
    ActiveCount: measured.filter(({ isActive }) => isActive).length,
    TotalCount: measured.length,
    TotalSize: bytesOf(measured),
    Reclaimable: bytesOf(measured.filter(({ isActive }) => !isActive)),
    Items: measured.map(({ item }) => item),
  };
}

/** A step's result, as the build cache has it. Times are epoch milliseconds. */
export interface CachedStep {
  readonly digest: string;
  readonly title: string;
  readonly fileSystem: {
    readonly layers: readonly {
      readonly diffId: Parameters<typeof chainIds>[0][number];
      readonly descriptor: { readonly size: number };
    }[];
  };
  readonly sizeBytes: number;
  readonly createdAt: number;
  readonly lastUsedAt: number;
}

/**
 * The build cache: what no image holds is its own. A record whose layer an image has too is `Shared` and counts there,
 * as in Docker; so does one that made no layer.
 *
 * @param isHeld whether an image holds the snapshot of that chain ID
 */
export function usageOfCache(
  records: readonly CachedStep[],
  isHeld: (chainId: string) => boolean,
): KindUsage<BuildCacheRecord> & { readonly Items: BuildCacheRecord[] } {
  const counted = new Set<string>();
  let bytes = 0;
  const items = records.map((record): BuildCacheRecord => {
    const { layers } = record.fileSystem;
    const top = chainIds(layers.map(({ diffId }) => diffId)).at(-1);
    const size = top === undefined ? 0 : record.sizeBytes + (layers.at(-1)?.descriptor.size ?? 0);
    const isShared = top !== undefined && isHeld(top);
    if (top !== undefined && !isShared && !counted.has(top)) {
      counted.add(top);
      bytes += size;
    }
    return {
      ID: record.digest,
      Type: "regular",
      Description: record.title,
      InUse: false,
      Shared: isShared,
      Size: size,
      CreatedAt: rfc3339(record.createdAt),
      LastUsedAt: rfc3339(record.lastUsedAt),
      UsageCount: 1,
    };
  });
  return { ActiveCount: 0, TotalCount: items.length, TotalSize: bytes, Reclaimable: bytes, Items: items };
}
