import { encodeFrame, encodeFrames } from "#api/stdcopy.ts";
import { EngineError, errorMessage } from "#base/errors.ts";
import type { Containers } from "#container/containers.ts";
import { parseDetachKeys } from "#container/detach-keys.ts";
import { logDetails } from "#container/logs/log-attributes.ts";
import type { LogPiece, LogQuery } from "#container/logs/log-reader.ts";
import { renderPiece } from "#container/logs/log-text.ts";
import type { ContainerRecord } from "#container/record.ts";
import type { ClientStreams, OutputChunk } from "#container/stream-session.ts";
import { booleanQuery, timestampQuery } from "../http/query.ts";
import {
  type BodyWriter,
  HIJACKED,
  type HijackedConnection,
  type Reply,
  type Route,
  type RouteRequest,
} from "../http/route.ts";

/** `POST /containers/{id}/attach` and `GET /containers/{id}/logs`. */
export function containerStreamRoutes(containers: Containers): Route[] {
  return [
    {
      method: "POST",
      path: "/containers/{id}/attach",
      handle: (request) => attach(containers, request),
    },
    {
      method: "GET",
      path: "/containers/{id}/logs",
      handle: async (request) => await Promise.resolve(logs(containers, request)),
    },
  ];
}

/** What a hijacked connection carries: frames, or with a terminal bytes as they are. */
export function clientStreams(connection: HijackedConnection, isFramed: boolean): ClientStreams {
  return {
    input: connection.input,
    write: (chunk) => connection.write(isFramed ? frame(chunk) : chunk.data),
  };
}

async function attach(containers: Containers, request: RouteRequest): Promise<Reply> {
  const { query, param, signal } = request;
  const record = containers.inspect(param("id"));
  const { tty } = record.config;
  const [stdin, stdout, stderr] = ["stdin", "stdout", "stderr"].map((name) => booleanQuery(query, name));
  const options = {
    stdin: stdin ?? false,
    stdout: stdout ?? false,
    stderr: stderr ?? false,
    detachKeys: parseDetachKeys(query.get("detachKeys") ?? undefined),
  };
  const replays = booleanQuery(query, "logs");
  const streams = booleanQuery(query, "stream");
  // Joined before the answer: what the client does next may be the start.
  const session = streams ? containers.attach(record.id, options, signal) : undefined;
  const connection = await request.hijack({ framed: !tty, commonHeaders: false });
  const client = clientStreams(connection, !tty);
  try {
    if (replays) await replayLog(containers, record, { client, options, signal });
    await session?.run(client);
  } finally {
    await connection.end().catch(() => undefined);
  }
  return HIJACKED;
}

/** Sends what was logged so far. */
export async function replayLog(
  containers: Containers,
  record: ContainerRecord,
  {
    client,
    options,
    signal,
  }: { client: ClientStreams; options: Pick<LogQuery, "stdout" | "stderr">; signal: AbortSignal },
): Promise<void> {
  const { stdout, stderr } = options;
  for await (const pieces of containers.logs(record.id, { stdout, stderr, follows: false }, signal)) {
    for (const piece of pieces) await client.write(piece);
  }
}

function logs(containers: Containers, { query, param, signal, apiVersion }: RouteRequest): Reply {
  const record = containers.inspect(param("id"));
  const stdout = booleanQuery(query, "stdout");
  const stderr = booleanQuery(query, "stderr");
  if (!stdout && !stderr) {
    throw new EngineError("invalid", "Bad parameters: you must choose at least one stream");
  }
  const pieces = containers.logs(
    record.id,
    { stdout, stderr, ...logRange(query), follows: booleanQuery(query, "follow") },
    signal,
  );
  const isFramed = !record.config.tty;
  const details = booleanQuery(query, "details") ? logDetails(record) : undefined;
  const style = { timestamps: booleanQuery(query, "timestamps"), details };
  return {
    kind: "stream",
    status: 200,
    contentType: `application/vnd.docker.${isFramed && apiVersion.atLeast(1, 42) ? "multiplexed" : "raw"}-stream`,
    write: (body) => writeLogs(pieces, body, { isFramed, style }),
  };
}

/** A failure after the head has gone out is told in the stream itself. */
async function writeLogs(
  batches: AsyncIterable<readonly LogPiece[]>,
  body: BodyWriter,
  { isFramed, style }: { isFramed: boolean; style: Parameters<typeof renderPiece>[1] },
): Promise<void> {
  try {
    for await (const pieces of batches) {
      const chunks = pieces.map((piece) => renderPiece(piece, style));
      await body.write(isFramed ? encodeFrames(chunks) : Buffer.concat(chunks.map(({ data }) => data)));
    }
  } catch (error) {
    const message = `Error grabbing logs: ${errorMessage(error)}\n`;
    await body.write(isFramed ? encodeFrame("system", Buffer.from(message)) : message);
  }
}

/** `tail`, `since` and `until`; zero is no limit in time. */
function logRange(query: URLSearchParams): Pick<LogQuery, "tail" | "sinceNs" | "untilNs"> {
  const tail = query.get("tail") ?? "all";
  const sinceNs = timestampQuery(query, "since");
  const untilNs = timestampQuery(query, "until");
  return {
    ...(/^\d{1,15}$/.test(tail) && { tail: Number(tail) }),
    ...(sinceNs && { sinceNs }),
    ...(untilNs && { untilNs }),
  };
}

function frame({ stream, data }: OutputChunk): Uint8Array {
  return encodeFrame(stream, data);
}
