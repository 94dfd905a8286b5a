import type { ContainerSummary } from "#api/containers.ts";
import type { BuildCacheRecord, DiskUsage, KindUsage } from "#api/disk-usage.ts";
import type { ImageSummary } from "#api/images.ts";
import type { ApiVersion } from "#api/version.ts";
import type { VolumeDocument } from "#api/volumes.ts";
import type { Clock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import type { Containers } from "#container/containers.ts";
import { EVERY } from "#container/list-filters.ts";
import { isAlive } from "#container/state.ts";
import type { ImageStore } from "#image/image-store.ts";
import type { UsersOf } from "#image/image.ts";
import { chainIds } from "#oci/digest.ts";
import type { Volume } from "#store/volume/volume.ts";
import { type CachedStep, usageOfCache, usageOfKind } from "../disk-usage.ts";
import { booleanQuery } from "../http/query.ts";
import { json, type Reply, type Route, type RouteRequest } from "../http/route.ts";
import { encodeSummary as encodeContainer } from "./containers-encode.ts";
import { encodeSummary as encodeImage } from "./images-encode.ts";
import { encodeVolume } from "./volumes.ts";

export interface DiskUsageOptions {
  readonly images: ImageStore;
  readonly usersOf: UsersOf;
  readonly containers: Containers;
  readonly volumes: {
    list(): readonly Volume[];
    path(name: string): string;
    usage(name: string): Promise<{ readonly sizeBytes: number }>;
  };
  /** Results of build steps. */
  readonly cachedSteps: () => readonly CachedStep[];
  readonly clock: Clock;
}

/** Each kind with everything in it; a kind that was not asked for is absent. */
type FullUsage = { readonly [K in keyof DiskUsage]: Required<NonNullable<DiskUsage[K]>> | undefined };

const KINDS = ["container", "image", "volume", "build-cache"];

/** `GET /system/df`. */
export function diskUsageRoutes(options: DiskUsageOptions): Route[] {
  return [{ method: "GET", path: "/system/df", handle: (request) => measure(request, options) }];
}

async function measure({ query, apiVersion }: RouteRequest, options: DiskUsageOptions): Promise<Reply> {
  const wanted = new Set(query.getAll("type"));
  for (const kind of wanted) {
    if (!KINDS.includes(kind)) throw new EngineError("invalid", `unknown object type: ${kind}`);
  }
  const wants = (kind: string): boolean => wanted.size === 0 || wanted.has(kind);
  const usage = {
    ImageUsage: wants("image") ? await usageOfImages(options, apiVersion) : undefined,
    ContainerUsage: wants("container") ? await usageOfContainers(options, apiVersion) : undefined,
    VolumeUsage: wants("volume") ? await usageOfVolumes(options) : undefined,
    BuildCacheUsage: wants("build-cache") ? await cacheOf(options) : undefined,
  };
  if (!apiVersion.atLeast(1, 52)) return json(legacy(usage));
  if (booleanQuery(query, "verbose")) return json(usage);
  return json({
    ...legacy(usage),
    ImageUsage: withoutItems(usage.ImageUsage),
    ContainerUsage: withoutItems(usage.ContainerUsage),
    VolumeUsage: withoutItems(usage.VolumeUsage),
    BuildCacheUsage: withoutItems(usage.BuildCacheUsage),
  });
}

function withoutItems<T>(usage: KindUsage<T> | undefined): KindUsage<T> | undefined {
  if (usage === undefined) return undefined;
  const { Items: _left, ...counts } = usage;
  return counts;
}

/** As clients before API 1.52 read it, and those after it that do not say `verbose`. */
function legacy(usage: FullUsage): Readonly<Record<string, unknown>> {
  const { ImageUsage, ContainerUsage, VolumeUsage, BuildCacheUsage } = usage;
  return {
    ...(ImageUsage && { LayersSize: ImageUsage.TotalSize, Images: ImageUsage.Items }),
    ...(ContainerUsage && { Containers: ContainerUsage.Items }),
    ...(VolumeUsage && { Volumes: VolumeUsage.Items }),
    ...(BuildCacheUsage && { BuildCache: BuildCacheUsage.Items }),
  };
}

async function usageOfImages(
  { images, usersOf }: DiskUsageOptions,
  version: ApiVersion,
): Promise<Required<KindUsage<ImageSummary>>> {
  const all = await images.list();
  const { totalBytes, reclaimableBytes, sharedBytes } = images.usage((id) => usersOf(id).length > 0);
  return {
    ActiveCount: all.filter(({ id }) => usersOf(id).length > 0).length,
    TotalCount: all.length,
    TotalSize: totalBytes,
    Reclaimable: reclaimableBytes,
    Items: all.map((image) => {
      const users = usersOf(image.id);
      const summary = encodeImage(
        { image, references: image.references },
        {
          unpackedBytes: (variant) => images.unpackedBytes(variant),
          users,
          sharedBytes: sharedBytes.get(image.id),
          hasManifests: false,
          version,
        },
      );
      return { ...summary, Containers: users.length };
    }),
  };
}

async function usageOfContainers(
  { containers, clock }: DiskUsageOptions,
  version: ApiVersion,
): Promise<Required<KindUsage<ContainerSummary>>> {
  const now = clock();
  return usageOfKind(
    await Promise.all(
      containers.list(EVERY).map(async (record) => {
        const sizes = await containers.sizes(record);
        const facts = { image: containers.imageName(record), sizes, version, now };
        const isActive = isAlive(record.state) || record.state.status === "restarting";
        return { item: encodeContainer(record, facts), sizeBytes: sizes.writableBytes, isActive };
      }),
    ),
  );
}

async function usageOfVolumes({
  volumes,
  containers,
}: DiskUsageOptions): Promise<Required<KindUsage<VolumeDocument>>> {
  return usageOfKind(
    await Promise.all(
      volumes.list().map(async (volume) => {
        const { sizeBytes } = await volumes.usage(volume.name);
        const users = containers.usersOfVolume(volume.name).length;
        const item = {
          ...encodeVolume(volume, volumes.path(volume.name)),
          UsageData: { Size: sizeBytes, RefCount: users },
        };
        // Data that lie elsewhere have no size that is ours to tell.
        return { item, sizeBytes: Math.max(0, sizeBytes), isActive: users > 0 };
      }),
    ),
  );
}

async function cacheOf({
  images,
  cachedSteps,
}: DiskUsageOptions): Promise<Required<KindUsage<BuildCacheRecord>>> {
  const held = new Set<string>((await images.list()).flatMap(({ config }) => chainIds(config.diffIds)));
  return usageOfCache(cachedSteps(), (chainId) => held.has(chainId));
}
