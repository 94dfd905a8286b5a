import { EngineError } from "#base/errors.ts";
import type { Clock } from "#base/clock.ts";
import type { Containers, WaitCondition } from "#container/containers.ts";
import { booleanQuery, filtersQuery, integerQuery } from "../http/query.ts";
import { json, NO_CONTENT, NOT_MODIFIED, type Reply, type Route, type RouteRequest } from "../http/route.ts";
import { decodeCreateRequest } from "./containers-decode.ts";
import { encodeInspect, encodeSummary } from "./containers-encode.ts";
import { containerStreamRoutes } from "./containers-streams.ts";
import { containerWebSocketRoutes } from "./containers-websocket.ts";

/** The routes of Engine API group Container, as far as they exist. */
export function containerRoutes({ containers, clock }: { containers: Containers; clock: Clock }): Route[] {
  return [
    {
      method: "GET",
      path: "/containers/json",
      handle: async (request) => json(await listContainers(containers, request, clock())),
    },
    { method: "POST", path: "/containers/create", handle: (request) => createContainer(containers, request) },
    pruneRoute(containers),
    {
      method: "GET",
      path: "/containers/{id}/json",
      handle: (request) => inspectContainer(containers, request),
    },
    ...lifecycleRoutes(containers),
    ...containerStreamRoutes(containers),
    ...containerWebSocketRoutes(containers),
  ];
}

async function createContainer(containers: Containers, request: RouteRequest): Promise<Reply> {
  const document = await request.json();
  if (document === undefined) {
    throw new EngineError("invalid", "config cannot be empty in order to create a container");
  }
  const wanted = decodeCreateRequest(document, request.query);
  const { id, warnings } = await containers.create(wanted, request.signal);
  return json({ Id: id, Warnings: warnings }, 201);
}

async function inspectContainer(
  containers: Containers,
  { param, query, apiVersion }: RouteRequest,
): Promise<Reply> {
  const record = containers.inspect(param("id"));
  const sizes = booleanQuery(query, "size") ? await containers.sizes(record) : undefined;
  const paths = containers.paths(record.id);
  const execIds = containers.execs.idsOf(record.id);
  return json(encodeInspect(record, { paths, execIds, sizes, version: apiVersion }));
}

/** One at a time. */
function pruneRoute(containers: Containers): Route {
  let isPruning = false;
  return {
    method: "POST",
    path: "/containers/prune",
    async handle({ query }) {
      if (isPruning) throw new EngineError("conflict", "a prune operation is already running");
      isPruning = true;
      try {
        const { removed, reclaimedBytes } = await containers.prune(filtersQuery(query));
        return json({ ContainersDeleted: removed, SpaceReclaimed: reclaimedBytes });
      } finally {
        isPruning = false;
      }
    },
  };
}

function lifecycleRoutes(containers: Containers): Route[] {
  const post = (verb: string, handle: (request: RouteRequest) => Promise<Reply>): Route => ({
    method: "POST",
    path: `/containers/{id}/${verb}`,
    handle,
  });
  return [
    post("start", async ({ param }) => {
      const outcome = await containers.start(param("id"));
      return outcome === "started" ? NO_CONTENT : NOT_MODIFIED;
    }),
    post("stop", async ({ param, query }) => {
      const outcome = await containers.stop(param("id"), stopOptions(query));
      return outcome === "stopped" ? NO_CONTENT : NOT_MODIFIED;
    }),
    post("restart", async ({ param, query }) => {
      await containers.restart(param("id"), stopOptions(query));
      return NO_CONTENT;
    }),
    post("kill", async ({ param, query }) => {
      await containers.kill(param("id"), query.get("signal") || "SIGKILL");
      return NO_CONTENT;
    }),
    post("pause", async ({ param }) => {
      await containers.pause(param("id"));
      return NO_CONTENT;
    }),
    post("unpause", async ({ param }) => {
      await containers.unpause(param("id"));
      return NO_CONTENT;
    }),
    post("rename", async ({ param, query }) => {
      await containers.rename(param("id"), query.get("name") ?? "");
      return NO_CONTENT;
    }),
    post("resize", async ({ param, query }) => {
      containers.resize(param("id"), terminalSize(query));
      return { kind: "empty", status: 200 };
    }),
    post("wait", async ({ param, query, signal }) => waitReply(containers, param("id"), { query, signal })),
    {
      method: "DELETE",
      path: "/containers/{id}",
      async handle({ param, query }) {
        if (booleanQuery(query, "link")) {
          throw new EngineError("unsupported", "Cannot remove a link: links are not supported");
        }
        const options = { force: booleanQuery(query, "force"), removesVolumes: booleanQuery(query, "v") };
        await containers.remove(param("id"), options);
        return NO_CONTENT;
      },
    },
  ];
}

async function listContainers(
  containers: Containers,
  { query, apiVersion }: RouteRequest,
  now: number,
): Promise<unknown[]> {
  const limit = integerQuery(query, "limit");
  const records = containers.list({
    all: booleanQuery(query, "all"),
    ...(limit !== undefined && { limit }),
    filters: filtersQuery(query),
  });
  const wantsSizes = booleanQuery(query, "size");
  return await Promise.all(
    records.map(async (record) =>
      encodeSummary(record, {
        image: containers.imageName(record),
        sizes: wantsSizes ? await containers.sizes(record) : undefined,
        version: apiVersion,
        now,
      }),
    ),
  );
}

/** The head goes out at once: clients start the container only when they have seen it. */
function waitReply(
  containers: Containers,
  id: string,
  { query, signal }: { query: URLSearchParams; signal: AbortSignal },
): Reply {
  const condition = waitCondition(query.get("condition"));
  // A container that is not there is refused before the head.
  containers.inspect(id);
  const outcome = containers.wait(id, condition, signal);
  outcome.catch(() => undefined);
  return {
    kind: "stream",
    status: 200,
    contentType: "application/json",
    async write(body) {
      const { exitCode, message } = await outcome;
      await body.write(
        `${JSON.stringify({ StatusCode: exitCode, ...(message !== undefined && { Error: { Message: message } }) })}\n`,
      );
    },
  };
}

function waitCondition(text: string | null): WaitCondition {
  switch (text) {
    case null:
    case "":
    case "not-running":
      return "not-running";
    case "next-exit":
    case "removed":
      return text;
    default:
      throw new EngineError("invalid", `invalid condition: "${text}"`);
  }
}

function stopOptions(query: URLSearchParams): { signal?: string; timeoutSeconds?: number } {
  const signal = query.get("signal");
  const timeoutSeconds = integerQuery(query, "t");
  return { ...(signal && { signal }), ...(timeoutSeconds !== undefined && { timeoutSeconds }) };
}

/** `h` and `w`, both required. @throws {EngineError} invalid */
export function terminalSize(query: URLSearchParams): { rows: number; columns: number } {
  const [rows, columns] = ["h", "w"].map((name) => {
    const value = integerQuery(query, name);
    if (value !== undefined && value >= 0 && value < 2 ** 32) return value;
    throw new EngineError(
      "invalid",
      `invalid resize ${name === "h" ? "height" : "width"} "${query.get(name) ?? ""}"`,
    );
  });
  return { rows: rows ?? 0, columns: columns ?? 0 };
}
