import type { SystemInfo, SystemVersion } from "#api/system.ts";
import { type EventBus, encodeEvent } from "../events.ts";
import { eventFilter } from "../event-filter.ts";
import { filtersQuery, timestampQuery } from "../http/query.ts";
import { type BodyWriter, json, type Reply, type Route, type RouteRequest } from "../http/route.ts";

export interface SystemRoutesOptions {
  readonly version: () => SystemVersion;
  readonly info: () => Promise<SystemInfo>;
  readonly events: EventBus;
}

const PING_HEADERS: Readonly<Record<string, string>> = {
  "Builder-Version": "1",
  "Cache-Control": "no-cache, no-store, must-revalidate",
  Pragma: "no-cache",
  Swarm: "inactive",
};

export function systemRoutes({ version, info, events }: SystemRoutesOptions): Route[] {
  return [
    { method: "HEAD", path: "/_ping", handle: () => ping("") },
    { method: "GET", path: "/_ping", handle: () => ping("OK") },
    { method: "GET", path: "/version", handle: async () => json(version()) },
    { method: "GET", path: "/info", handle: async () => json(await info()) },
    { method: "GET", path: "/events", handle: async (request) => streamEvents(request, events) },
  ];
}

async function ping(body: string): Promise<Reply> {
  return { kind: "text", status: 200, body, contentType: "text/plain; charset=utf-8", headers: PING_HEADERS };
}

/** Past events that `since` asks for, then new ones until `until`, or until the client goes. */
function streamEvents({ query, apiVersion, signal }: RouteRequest, events: EventBus): Reply {
  const isWanted = eventFilter(filtersQuery(query));
  const since = timestampQuery(query, "since");
  const until = timestampQuery(query, "until");
  const msLeft = until === undefined ? undefined : Math.max(0, Number(until / 1_000_000n) - Date.now());
  const end = msLeft === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(msLeft)]);
  const coming = events.listen(end, since);
  return {
    kind: "stream",
    status: 200,
    contentType: "application/json",
    async write(body: BodyWriter) {
      for await (const event of coming) {
        if (until !== undefined && event.atNs > until) return;
        if (isWanted(event)) await body.write(encodeEvent(event, apiVersion));
      }
    },
  };
}
