import type { Clock } from "#base/clock.ts";
import { parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { ImageStore } from "#image/image-store.ts";
import type { Image, UsersOf } from "#image/image.ts";
import { decodePlatform, hostPlatform, parsePlatform, type Platform } from "#oci/platform.ts";
import { canonicalReference, parseReference, type Reference } from "#oci/reference.ts";
import { booleanQuery, filtersQuery } from "../http/query.ts";
import { json, type Reply, type Route, type RouteRequest } from "../http/route.ts";
import { encodeHistory, encodeInspect, encodeRemoved, encodeSummary } from "./images-encode.ts";
import { filterImages, pruneOptions } from "./images-filters.ts";
import { referenceFrom } from "./image-name.ts";
import { progressReply } from "./progress-reply.ts";
import { credentialsFrom } from "./registry-auth.ts";

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
    { method: "GET", path: "/images/json", handle: (request) => list(request, options) },
    { method: "POST", path: "/images/create", handle: (request) => create(request, images) },
    { method: "POST", path: "/images/load", handle: (request) => load(request, images) },
    { method: "POST", path: "/images/prune", handle: (request) => prune(request, options) },
    {
      method: "GET",
      path: "/images/get",
      handle: async (request) => save(request, images, request.query.getAll("names")),
    },
    {
      method: "GET",
      path: "/images/{name...}/get",
      handle: async (request) => save(request, images, [request.param("name")]),
    },
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
  if (query.getAll("platforms").some((platform) => platform !== ""))
    throw new EngineError(
      "unsupported",
      "Cannot remove single platforms of an image: only the image as a whole",
    );
  const name = request.param("name");
  const users = usersOf(images.resolve(name).id);
  return json(encodeRemoved(await images.remove(name, { force: booleanQuery(query, "force"), users })));
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

async function load({ query, body, signal }: RouteRequest, images: ImageStore): Promise<Reply> {
  const isQuiet = !query.has("quiet") || booleanQuery(query, "quiet");
  return await progressReply(async (progress) => {
    await images.load(
      body,
      (line) => (isQuiet && line.kind === "status" ? undefined : progress(line)),
      signal,
    );
  });
}

function save({ signal }: RouteRequest, images: ImageStore, names: readonly string[]): Reply {
  if (names.length === 0) throw new EngineError("invalid", "Cannot save images: no name was given");
  const archive = images.save(names, signal);
  return {
    kind: "stream",
    status: 200,
    contentType: "application/x-tar",
    async write(body) {
      for await (const chunk of archive) await body.write(chunk);
    },
  };
}

async function create(request: RouteRequest, images: ImageStore): Promise<Reply> {
  const { query, headers, signal } = request;
  const image = query.get("fromImage") ?? "";
  if (image === "") return await importImage(request, images);
  const name = referenceFrom(image.replace(/:$/, ""), query.get("tag") ?? "");
  const platform = query.get("platform");
  const options = {
    platform: platform ? parsePlatform(platform) : undefined,
    credentials: credentialsFrom(headers),
  };
  return await progressReply(async (progress) => {
    await images.pull(name, options, progress, signal);
  });
}

async function importImage({ query, body, signal }: RouteRequest, images: ImageStore): Promise<Reply> {
  const source = query.get("fromSrc") ?? "";
  if (source === "")
    throw new EngineError("invalid", "Cannot create an image: neither fromImage nor fromSrc was given");
  if (source !== "-") {
    throw new EngineError("unsupported", `Cannot import from "${source}": only the request body is read`, {
      hint: "fetch it first: `curl -L URL | darse import - NAME`",
    });
  }
  const repository = query.get("repo") ?? "";
  const platform = query.get("platform");
  const options = {
    reference:
      repository === "" ? undefined : importReference(referenceFrom(repository, query.get("tag") ?? "")),
    changes: query.getAll("changes"),
    message: query.get("message") || `Imported from ${source}`,
    platform: platform ? parsePlatform(platform) : hostPlatform(),
  };
  return await progressReply(async (progress) => {
    const image = await images.importTar(body, options, signal);
    progress({ kind: "status", status: image.id });
  });
}

function importReference(text: string): Reference {
  if (parseReference(text).digest !== undefined)
    throw new EngineError("invalid", "cannot import digest reference");
  return canonicalReference(text);
}

/** `platform` as JSON. @throws {EngineError} invalid */
function platformQuery(query: URLSearchParams): Platform | undefined {
  return platformsQuery(query, "platform")[0];
}

/** A parameter that may be there several times, each a platform as JSON. @throws {EngineError} invalid */
export function platformsQuery(query: URLSearchParams, name: string): Platform[] {
  return query
    .getAll(name)
    .filter((text) => text !== "")
    .map((text) => decodePlatform(parseJson(text, name), name));
}
