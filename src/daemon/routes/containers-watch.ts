import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Containers } from "#container/containers.ts";
import { decodeTable } from "#container/field-table.ts";
import { HOST_CONFIG } from "#container/host-config.ts";
import type { LimitChange } from "#container/update.ts";
import { booleanQuery } from "../http/query.ts";
import { json, type Reply, type Route, type RouteRequest } from "../http/route.ts";
import { encodeStats } from "./containers-stats-encode.ts";

/** What these routes ask of containers. */
export type WatchedContainers = Pick<Containers, "stats" | "top" | "update">;

/** Looking at running containers, and adjusting them: stats, top, update of Engine API group Container. */
export function watchRoutes(containers: WatchedContainers): Route[] {
  return [
    {
      method: "GET",
      path: "/containers/{id}/stats",
      handle: async (request) => await Promise.resolve(stats(containers, request)),
    },
    {
      method: "GET",
      path: "/containers/{id}/top",
      async handle({ param, query, signal }) {
        const { titles, rows } = await containers.top(param("id"), query.get("ps_args") ?? "", signal);
        return json({ Titles: titles, Processes: rows });
      },
    },
    {
      method: "POST",
      path: "/containers/{id}/update",
      async handle({ param, json: body, apiVersion }) {
        const document = await body();
        if (document === undefined)
          throw new EngineError("invalid", "invalid JSON: got EOF while reading request body");
        const change = decodeLimitChange(document, { hasDeviceLimits: apiVersion.atLeast(1, 55) });
        return json({ Warnings: await containers.update(param("id"), change) });
      },
    },
  ];
}

/** Limits by device were ignored before API 1.55. */
function decodeLimitChange(
  document: unknown,
  { hasDeviceLimits }: { hasDeviceLimits: boolean },
): LimitChange {
  const change = decodeTable(HOST_CONFIG, new Fields(document));
  if (hasDeviceLimits) return change;
  return {
    ...change,
    blkioDeviceReadBps: [],
    blkioDeviceWriteBps: [],
    blkioDeviceReadIops: [],
    blkioDeviceWriteIops: [],
  };
}

/** The head goes out at once, and each sample as a line of its own. */
function stats(containers: WatchedContainers, { param, query, signal, apiVersion }: RouteRequest): Reply {
  const streams = query.has("stream") ? booleanQuery(query, "stream") : true;
  const isOneShot = apiVersion.atLeast(1, 41) && booleanQuery(query, "one-shot");
  const samples = containers.stats(param("id"), { streams, isOneShot }, signal);
  return {
    kind: "stream",
    status: 200,
    contentType: "application/json",
    async write(body) {
      for await (const sample of samples) {
        await body.write(`${JSON.stringify(encodeStats(sample, apiVersion))}\n`);
      }
    },
  };
}
