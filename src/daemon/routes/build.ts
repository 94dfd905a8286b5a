import { EngineError, errorMessage } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import type { Clock } from "#base/clock.ts";
import type { BuildRequest } from "#build/build-request.ts";
import type { BuildOutput } from "#build/builder.ts";
import { parseDuration } from "#build/dockerfile/duration.ts";
import type { Image } from "#image/image.ts";
import type { Digest } from "#oci/digest.ts";
import { familiarReference, parseReference } from "#oci/reference.ts";
import { booleanQuery, filtersQuery } from "../http/query.ts";
import { json, type Reply, type Route, type RouteRequest } from "../http/route.ts";
import { decodeBuildRequest } from "./build-decode.ts";
import { BuildMessages } from "./build-messages.ts";

export interface BuildRoutesOptions {
  readonly builder: {
    build(request: BuildRequest, output: BuildOutput, signal: AbortSignal): Promise<Image>;
    prune(options: { readonly unusedSince?: number }): Promise<{ readonly digests: readonly Digest[] }>;
  };
  /** Removes from disk what neither reference, lease, container nor build cache names. */
  readonly collectGarbage: () => Promise<{ readonly reclaimedBytes: number }>;
  readonly clock: Clock;
}

/** Building by the classic builder's half of the Engine API. */
export function buildRoutes(options: BuildRoutesOptions): Route[] {
  return [
    { method: "POST", path: "/build", handle: (request) => build(request, options) },
    { method: "POST", path: "/build/prune", handle: (request) => prune(request, options) },
  ];
}

/**
 * Until the first line is due a failure is an answer with its own status; later it is the last line. The work goes on
 * while lines are written, and is stopped when the client leaves.
 */
async function build(request: RouteRequest, { builder }: BuildRoutesOptions): Promise<Reply> {
  const decoded = decodeBuildRequest(request);
  const isQuiet = booleanQuery(request.query, "q");
  const messages = new BuildMessages(isQuiet);
  const output: BuildOutput = {
    write: (text) => messages.stream(text),
    pullProgress: (line) => messages.progress(line),
  };
  const work = (async () => {
    try {
      const image = await builder.build(decoded, output, request.signal);
      for (const line of closing(image, decoded, isQuiet)) await messages.last(line);
    } finally {
      messages.end();
    }
  })();
  // the stream below, or the wait for the first line, sees the failure
  work.catch(() => undefined);
  await messages.waitForMore();
  if (messages.isEmpty) await work;
  return {
    kind: "stream",
    status: 200,
    contentType: "application/json",
    async write(body) {
      try {
        await messages.forward(body);
        await work;
      } catch (error) {
        await body.write(messages.heldForFailure());
        await body.write(failureLine(error));
      } finally {
        messages.leave();
      }
    },
  };
}

function closing(image: Image, { tags }: BuildRequest, isQuiet: boolean): unknown[] {
  const aux = { aux: { ID: image.id } };
  if (isQuiet) return [aux, { stream: `${image.id}\n` }];
  const names = tags.map((tag) => familiarReference(parseReference(tag)));
  return [
    aux,
    { stream: `Successfully built ${shortId(image.id)}\n` },
    ...names.map((name) => ({ stream: `Successfully tagged ${name}\n` })),
  ];
}

/** The code is the command's own where there is one. */
function failureLine(error: unknown): string {
  const hint = EngineError.is(error) && error.hint !== undefined ? `\n${error.hint}` : "";
  const message = `${errorMessage(error)}${hint}`;
  const code = error instanceof Error && "exitCode" in error ? Number(error.exitCode) : undefined;
  return `${JSON.stringify({ errorDetail: { ...(code !== undefined && { code }), message }, error: message })}\r\n`;
}

/** Limits of size come later than the cache has them: all that was not used for a time goes, or everything. */
async function prune(
  { query }: RouteRequest,
  { builder, collectGarbage, clock }: BuildRoutesOptions,
): Promise<Reply> {
  const filters = filtersQuery(query);
  const unusedSince = unusedSinceOf(filters.get("until")?.[0] ?? filters.get("unused-for")?.[0], clock);
  const { digests } = await builder.prune(unusedSince === undefined ? {} : { unusedSince });
  const { reclaimedBytes } = await collectGarbage();
  return json({ CachesDeleted: digests, SpaceReclaimed: reclaimedBytes });
}

/** A duration, or a time. @throws {EngineError} invalid */
function unusedSinceOf(until: string | undefined, clock: Clock): number | undefined {
  if (until === undefined || until === "") return undefined;
  const duration = parseDuration(until);
  if (duration !== undefined) return clock() - duration / 1e6;
  const time = /^\d{1,12}$/.test(until) ? Number(until) * 1000 : Date.parse(until);
  if (Number.isNaN(time)) {
    throw new EngineError("invalid", `Cannot read filter until="${until}": it must be a duration or a time`);
  }
  return time;
}
