import { EngineError } from "#base/errors.ts";
import type { ImageStore } from "#image/image-store.ts";
import type { Progress } from "#image/image.ts";
import { hostPlatform, parsePlatform } from "#oci/platform.ts";
import { canonicalReference, parseReference, type Reference } from "#oci/reference.ts";
import { openDownload } from "../http/download.ts";
import { booleanQuery } from "../http/query.ts";
import type { Reply, Route, RouteRequest } from "../http/route.ts";
import { referenceFrom } from "./image-name.ts";
import { platformsQuery } from "./platforms-query.ts";
import { progressReply } from "./progress-reply.ts";
import { credentialsFrom } from "./registry-auth.ts";

/** How images come in and go out, pushing apart: pull, import, load, save. */
export function imageTransferRoutes(images: ImageStore): Route[] {
  return [
    { method: "POST", path: "/images/create", handle: (request) => create(request, images) },
    { method: "POST", path: "/images/load", handle: (request) => load(request, images) },
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
  ];
}

async function load({ query, body, signal }: RouteRequest, images: ImageStore): Promise<Reply> {
  const isQuiet = !query.has("quiet") || booleanQuery(query, "quiet");
  const platforms = platformsQuery(query, "platform");
  return await progressReply(async (progress) => {
    const told: Progress = (line) => (isQuiet && line.kind === "status" ? undefined : progress(line));
    await images.load(body, { progress: told, platforms }, signal);
  });
}

function save({ query, signal }: RouteRequest, images: ImageStore, names: readonly string[]): Reply {
  if (names.length === 0) throw new EngineError("invalid", "Cannot save images: no name was given");
  const archive = images.save(names, platformsQuery(query, "platform"), signal);
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
  const { tag, digest } = parseReference(name);
  return await progressReply(async (progress) => {
    if (tag === undefined && digest === undefined) await images.pullAll(name, options, progress, signal);
    else await images.pull(name, options, progress, signal);
  });
}

async function importImage({ query, body, signal }: RouteRequest, images: ImageStore): Promise<Reply> {
  const source = query.get("fromSrc") ?? "";
  if (source === "")
    throw new EngineError("invalid", "Cannot create an image: neither fromImage nor fromSrc was given");
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
    const content = source === "-" ? body : await downloaded(source, progress, signal);
    const image = await images.importTar(content, options, signal);
    progress({ kind: "status", status: image.id });
  });
}

async function downloaded(
  address: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const { url, chunks } = await openDownload(address, signal);
  progress({ kind: "status", status: `Downloading from ${url.href}` });
  return chunks;
}

function importReference(text: string): Reference {
  if (parseReference(text).digest !== undefined)
    throw new EngineError("invalid", "cannot import digest reference");
  return canonicalReference(text);
}
