import type { ContainerSummary } from "./containers.ts";
import type { ImageSummary } from "./images.ts";
import type { VolumeDocument } from "./volumes.ts";

// Engine API v1.55, `GET /system/df`.

/** What objects of one kind take. */
export interface KindUsage<T> {
  readonly ActiveCount: number;
  readonly TotalCount: number;
  /** Bytes. */
  readonly TotalSize: number;
  /** Bytes that a prune would free. */
  readonly Reclaimable: number;
  /** Only where `verbose` asked for them. */
  readonly Items?: readonly T[] | null | undefined;
}

export interface DiskUsage {
  readonly ImageUsage?: KindUsage<ImageSummary> | undefined;
  readonly ContainerUsage?: KindUsage<ContainerSummary> | undefined;
  readonly VolumeUsage?: KindUsage<VolumeDocument> | undefined;
  readonly BuildCacheUsage?: KindUsage<BuildCacheRecord> | undefined;
}

export interface BuildCacheRecord {
  readonly ID: string;
  readonly Parents?: readonly string[] | null | undefined;
  readonly Type: string;
  readonly Description: string;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
  readonly CreatedAt: string;
  readonly LastUsedAt: string | null;
  readonly UsageCount: number;
}

/** `POST /build/prune` */
export interface BuildCachePruneReport {
  readonly CachesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
