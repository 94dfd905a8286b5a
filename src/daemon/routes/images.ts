import type { Clock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import type { ImageStore } from "#image/image-store.ts";
import type { Image, UsersOf } from "#image/image.ts";
import { hostPlatform, type Platform } from "#oci/platform.ts";
import { booleanQuery, filtersQuery } from "../http/query.ts";
import { json, type Reply, type Route, type RouteRequest } from "../http/route.ts";
import { encodeHistory, encodeInspect, encodeRemoved, encodeSummary } from "./images-encode.ts";
import { filterImages, pruneOptions } from "./images-filters.ts";
import { referenceFrom } from "./image-name.ts";
import { imageTransferRoutes } from "./images-transfer.ts";
import { platformsQuery } from "./platforms-query.ts";

export interface ImageRoutesOptions {
  readonly images: ImageStore;
  /** The containers made from an image. */
  readonly usersOf: UsersOf;
  readonly clock: Clock;
}

/** The image half of the Engine API; what registries are asked for, pulling apart, is in `registries.ts`. */
export function imageRoutes(options: ImageRoutesOptions): Route[] {
  const { images } = options;
  return [
    ...imageTransferRoutes(images),
    { method: "GET", path: "/images/json", handle: (request) => list(request, options) },
    { method: "POST", path: "/images/prune", handle: (request) => prune(request, options) },
    { method: "GET", path: "/images/{name...}/json", handle: async (request) => inspect(request, options) },
    { method: "GET", path: "/images/{name...}/history", handle: async (request) => history(request, images) },
    {
      method: "GET",
      path: "/images/{name...}/attestations",
      handle: (request) => attestations(request, images),
    },
    { method: "POST", path: "/images/{name...}/tag", handle: (request) => tag(request, images) },
    { method: "DELETE", path: "/images/{name...}", handle: (request) => remove(request, options) },
  ];
}

async function list({ query, apiVersion }: RouteRequest, options: ImageRoutesOptions): Promise<Reply> {
  const { images, usersOf, clock } = options;
  const filters = new Map(filtersQuery(query));
  const legacy = query.get("filter");
  if (legacy && !apiVersion.atLeast(1, 25)) filters.set("reference", [legacy]);
  const resolve = (name: string): Image => images.resolve(name);
  const listed = filterImages(await images.list(), filters, { resolve, now: clock() });
  const shared = booleanQuery(query, "shared-size") ? images.usage().sharedBytes : undefined;
  return json(
    listed.map((entry) =>
      encodeSummary(entry, {
        unpackedBytes: (variant) => images.unpackedBytes(variant),
        users: usersOf(entry.image.id),
        sharedBytes: shared?.get(entry.image.id),
        hasManifests: booleanQuery(query, "manifests"),
        version: apiVersion,
      }),
    ),
  );
}

function inspect(request: RouteRequest, { images, usersOf }: ImageRoutesOptions): Reply {
  const { query, apiVersion } = request;
  const platform = platformQuery(query);
  const hasManifests = booleanQuery(query, "manifests");
  if (platform && hasManifests) {
    throw new EngineError(
      "invalid",
      "conflicting options: manifests and platform options cannot both be set",
    );
  }
  const image = images.resolve(request.param("name"), platform);
  return json(
    encodeInspect(image, {
      unpackedBytes: (variant) => images.unpackedBytes(variant),
      users: usersOf(image.id),
      hasManifests,
      version: apiVersion,
    }),
  );
}

function history(request: RouteRequest, images: ImageStore): Reply {
  return json(
    encodeHistory(images.history(images.resolve(request.param("name"), platformQuery(request.query)))),
  );
}

async function attestations({ query, param }: RouteRequest, images: ImageStore): Promise<Reply> {
  const platforms = platformsQuery(query, "platform");
  if (platforms.length > 1) throw new EngineError("invalid", "multiple platforms are not supported");
  const found = await images.attestations(images.resolve(param("name")), {
    platform: platforms[0] ?? hostPlatform(),
    types: query.getAll("type"),
    wantsStatement: booleanQuery(query, "statement"),
  });
  return json(
    found.map(({ descriptor, predicateType, statement }) => ({
      Descriptor: descriptor,
      PredicateType: predicateType,
      ...(statement !== undefined && { Statement: statement }),
    })),
  );
}

async function tag(request: RouteRequest, images: ImageStore): Promise<Reply> {
  const reference = referenceFrom(request.query.get("repo") ?? "", request.query.get("tag") ?? "");
  await images.tag(images.resolve(request.param("name")), reference);
  return { kind: "empty", status: 201 };
}

async function remove(request: RouteRequest, { images, usersOf }: ImageRoutesOptions): Promise<Reply> {
  const { query } = request;
  const name = request.param("name");
  const users = usersOf(images.resolve(name).id);
  const options = { force: booleanQuery(query, "force"), users };
  const platforms = platformsQuery(query, "platforms");
  const removed =
    platforms.length > 0
      ? await images.removePlatforms(name, platforms, options)
      : await images.remove(name, options);
  return json(encodeRemoved(removed));
}

async function prune(
  { query }: RouteRequest,
  { images, usersOf, clock }: ImageRoutesOptions,
): Promise<Reply> {
  const { removed, reclaimedBytes } = await images.prune(pruneOptions(filtersQuery(query), clock()), usersOf);
  return json({
    ImagesDeleted: removed.length === 0 ? null : encodeRemoved(removed),
    SpaceReclaimed: reclaimedBytes,
  });
}

/** `platform` as JSON. @throws {EngineError} invalid */
function platformQuery(query: URLSearchParams): Platform | undefined {
  return platformsQuery(query, "platform")[0];
}
