import { createdAtMs } from "./catalog.ts";
import { isUnnamed } from "./identity.ts";
import type { Image, RemovedItem, UsersOf } from "./image.ts";

export interface PruneOptions {
  /** `false`: also images that have names. */
  readonly danglingOnly: boolean;
  /** Only those created before, epoch milliseconds. */
  readonly createdBefore?: number | undefined;
  /** Only those for whose labels this is true. */
  readonly hasLabels?: ((labels: ReadonlyMap<string, string>) => boolean) | undefined;
}

export interface PruneResult {
  readonly removed: readonly RemovedItem[];
  readonly reclaimedBytes: number;
}

/** The images that a prune takes: those it is asked for and no container uses. */
export function pruneImages(images: readonly Image[], options: PruneOptions, usersOf: UsersOf): Image[] {
  return images.filter(
    (image) =>
      (isUnnamed(image) || !options.danglingOnly) &&
      (options.createdBefore === undefined || createdAtMs(image) < options.createdBefore) &&
      (options.hasLabels?.(image.config.config.labels ?? new Map()) ?? true) &&
      usersOf(image.id).length === 0,
  );
}
