import type { ImageSearchItem } from "#api/images.ts";
import { parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { ImageStore } from "#image/image-store.ts";
import { decodePlatform } from "#oci/platform.ts";
import { parseReference, withDefaultTag } from "#oci/reference.ts";
import { inspectRemote } from "#registry/inspect.ts";
import { login } from "#registry/login.ts";
import { RegistryClient } from "#registry/registry-client.ts";
import { search } from "#registry/search.ts";
import type { RegistrySettings } from "#registry/settings.ts";
import { filtersQuery, integerQuery } from "../http/query.ts";
import { json, type Reply, type Route, type RouteRequest } from "../http/route.ts";
import { checkKeys, isOn } from "../object-filters.ts";
import { referenceFrom } from "./image-name.ts";
import { progressReply } from "./progress-reply.ts";
import { credentialsFrom, credentialsOf, decodeAuth } from "./registry-auth.ts";

export interface RegistryRoutesOptions {
  readonly images: Pick<ImageStore, "push">;
  readonly settings: RegistrySettings;
}

/** What the Engine API asks of registries, pulling apart. */
export function registryRoutes({ images, settings }: RegistryRoutesOptions): Route[] {
  return [
    { method: "POST", path: "/auth", handle: (request) => authenticate(request, settings) },
    { method: "GET", path: "/images/search", handle: (request) => find(request, settings) },
    { method: "POST", path: "/images/{name...}/push", handle: (request) => push(request, images) },
    { method: "GET", path: "/distribution/{name...}/json", handle: (request) => inspect(request, settings) },
  ];
}

async function push(
  { param, query, headers, signal }: RouteRequest,
  images: Pick<ImageStore, "push">,
): Promise<Reply> {
  const name = referenceFrom(param("name"), query.get("tag") ?? "");
  const platform = query.get("platform");
  const options = {
    platform: platform ? decodePlatform(parseJson(platform, "platform"), "platform") : undefined,
    credentials: credentialsFrom(headers),
  };
  parseReference(name);
  return await progressReply(async (progress) => {
    await images.push(name, options, progress, signal);
  });
}

async function authenticate(request: RouteRequest, settings: RegistrySettings): Promise<Reply> {
  const auth = decodeAuth(await request.json());
  const asked = { server: auth.serveraddress ?? "", credentials: credentialsOf(auth), settings };
  const { identityToken } = await login(asked, request.signal);
  return json({ Status: "Login Succeeded", IdentityToken: identityToken ?? "" });
}

async function inspect({ param, headers, signal }: RouteRequest, settings: RegistrySettings): Promise<Reply> {
  const { domain, path, tag, digest } = withDefaultTag(parseReference(param("name")));
  const client = new RegistryClient({ domain, credentials: credentialsFrom(headers), settings });
  const place = { repository: path, reference: digest ?? tag ?? "" };
  const { descriptor, platforms } = await inspectRemote(client, place, signal);
  return json({ Descriptor: descriptor, Platforms: platforms });
}

const SEARCH_KEYS = ["is-automated", "is-official", "stars"];
const MAX_RESULTS = 100;
const DEFAULT_RESULTS = 25;

async function find({ query, headers, signal }: RouteRequest, settings: RegistrySettings): Promise<Reply> {
  const filters = filtersQuery(query);
  checkKeys(filters, SEARCH_KEYS);
  const limit = integerQuery(query, "limit") || DEFAULT_RESULTS;
  if (limit < 1 || limit > MAX_RESULTS)
    throw new EngineError("invalid", `limit ${limit} is outside the range of [1, ${MAX_RESULTS}]`);
  const [automated, official] = ["is-automated", "is-official"].map((key) => {
    const values = filters.get(key);
    return values && isOn(key, values);
  });
  const stars = Math.max(0, ...(filters.get("stars") ?? []).map(starCount));
  // nothing is built by the index itself any more
  if (automated) return json([]);
  const term = query.get("term") ?? "";
  const found = await search({ term, limit, credentials: credentialsFrom(headers), settings }, signal);
  const items = found
    .filter((result) => official === undefined || result.isOfficial === official)
    .filter((result) => result.starCount >= stars)
    .map(
      ({ name, description, isOfficial, starCount: count }): ImageSearchItem => ({
        star_count: count,
        is_official: isOfficial,
        name,
        is_automated: false,
        description,
      }),
    );
  return json(items);
}

function starCount(text: string): number {
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw new EngineError("invalid", `invalid filter 'stars=${text}'`);
}
