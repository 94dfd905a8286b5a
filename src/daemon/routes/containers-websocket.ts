import type { Containers } from "#container/containers.ts";
import { parseDetachKeys } from "#container/detach-keys.ts";
import { booleanQuery } from "../http/query.ts";
import { HIJACKED, type Reply, type Route, type RouteRequest } from "../http/route.ts";
import { acceptWebSocket } from "../http/websocket.ts";
import { replayLog } from "./containers-streams.ts";

/** `GET /containers/{id}/attach/ws`: attach for browsers. What the container writes is never framed by stream. */
export function containerWebSocketRoutes(containers: Containers): Route[] {
  return [
    {
      method: "GET",
      path: "/containers/{id}/attach/ws",
      handle: (request) => attach(containers, request),
    },
  ];
}

async function attach(containers: Containers, request: RouteRequest): Promise<Reply> {
  const { query, param, apiVersion } = request;
  const record = containers.inspect(param("id"));
  // Before 1.42 the API had no such parameters, and all three streams were joined.
  const wants = (name: string): boolean => !apiVersion.atLeast(1, 42) || booleanQuery(query, name);
  const options = {
    stdin: wants("stdin"),
    stdout: wants("stdout"),
    stderr: wants("stderr"),
    detachKeys: parseDetachKeys(query.get("detachKeys") ?? undefined),
  };
  const gone = new AbortController();
  // Joined before the answer: what the client does next may be the start.
  const session = booleanQuery(query, "stream")
    ? containers.attach(record.id, options, gone.signal)
    : undefined;
  try {
    const socket = await acceptWebSocket(request, { isText: !apiVersion.atLeast(1, 28) });
    socket.closed.addEventListener("abort", () => gone.abort(socket.closed.reason));
    const client = {
      input: socket.input,
      write: ({ data }: { readonly data: Uint8Array }) => socket.send(data),
    };
    try {
      if (booleanQuery(query, "logs")) {
        await replayLog(containers, record, { client, options, signal: gone.signal });
      }
      await session?.run(client);
    } finally {
      await socket.close().catch(() => undefined);
    }
  } finally {
    gone.abort();
  }
  return HIJACKED;
}
