import type { Socket } from "node:net";
import { EngineError } from "#base/errors.ts";
import { ByteStream } from "./byte-stream.ts";
import { errorBody } from "./error-status.ts";
import { Exchange } from "./exchange.ts";
import { RequestBody } from "./request-body.ts";
import {
  bodyFraming,
  MAX_HEAD_BYTES,
  parseRequestHead,
  type RequestHead,
  wantsClose,
} from "./request-head.ts";

/** What the server does with each request that arrives. */
export interface ConnectionHandler {
  readonly commonHeaders: Readonly<Record<string, string>>;
  /** Answers; never rejects. */
  handle(head: RequestHead, exchange: Exchange, signal: AbortSignal): Promise<void>;
}

/** Unread body bytes that are read and thrown away to keep a connection; with more it is closed instead. */
const MAX_DISCARD_BYTES = 1024 * 1024;

/**
 * Serves the requests of one connection, one after the other, until the client goes or a handler takes the connection
 * over. We speak HTTP/1.1 on the bare socket because attach and exec leave HTTP behind with a plain `200 OK` too, and
 * bytes sent right after a request's head belong to the container's input.
 */
export async function serveConnection(socket: Socket, handler: ConnectionHandler): Promise<void> {
  const stream = new ByteStream(socket);
  try {
    while (await serveOne(stream, handler)) {
      // the next request on the same connection
    }
  } finally {
    if (!socket.destroyed) await closeGently(stream);
  }
}

/** True when another request may follow. */
async function serveOne(stream: ByteStream, handler: ConnectionHandler): Promise<boolean> {
  const text = await readHead(stream);
  if (text === undefined) return false;
  const gone = new AbortController();
  let head: RequestHead;
  let body: RequestBody;
  try {
    head = parseRequestHead(text);
    body = bodyOf(stream, head);
  } catch (error) {
    return await refuse(stream, error);
  }
  const isLast = wantsClose(head);
  stream.onEnd = () => gone.abort(new EngineError("cancelled", "the client has gone"));
  if (stream.hasEnded && body.isDone) gone.abort(new EngineError("cancelled", "the client has gone"));
  const exchange = new Exchange({
    stream,
    head,
    body,
    signal: gone.signal,
    commonHeaders: handler.commonHeaders,
    isLast,
  });
  await handler.handle(head, exchange, gone.signal);
  stream.onEnd = undefined;
  if (exchange.isHijacked || isLast || stream.hasEnded) return false;
  return await body.discard(MAX_DISCARD_BYTES).catch(() => false);
}

function bodyOf(stream: ByteStream, head: RequestHead): RequestBody {
  const mustAsk = head.headers.get("expect")?.toLowerCase() === "100-continue";
  return new RequestBody(stream, bodyFraming(head), async () => {
    if (mustAsk) await stream.write("HTTP/1.1 100 Continue\r\n\r\n");
  });
}

/** A request that cannot be read is answered and ends the connection: nothing after it can be trusted. */
async function refuse(stream: ByteStream, error: unknown): Promise<false> {
  const body = `${JSON.stringify(errorBody(error))}\n`;
  const length = Buffer.byteLength(body);
  await stream.write(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`,
  );
  return false;
}

/** The text before the blank line, or `undefined` when the client goes before one has come. */
async function readHead(stream: ByteStream): Promise<string | undefined> {
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await stream.read();
    if (chunk === undefined) return undefined;
    held =
      held.byteLength === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
        : Buffer.concat([held, chunk]);
    const end = held.indexOf("\r\n\r\n");
    if (end >= 0) {
      stream.unread(held.subarray(end + 4));
      return held.toString("latin1", 0, end);
    }
    if (held.byteLength > MAX_HEAD_BYTES) return undefined;
  }
}

/** Ends our side, then lets the client finish what it is sending, for a moment, so that it can read our answer. */
async function closeGently(stream: ByteStream): Promise<void> {
  await stream.end();
  const limit = setTimeout(() => stream.destroy(), 2000);
  while ((await stream.read()) !== undefined) {
    // thrown away
  }
  clearTimeout(limit);
  stream.destroy();
}
