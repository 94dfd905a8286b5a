import { createHash } from "node:crypto";
import { EngineError } from "#base/errors.ts";
import type { RouteRequest } from "./route.ts";
import { type ClientFrame, encodeServerFrame, ProtocolError, readClientFrames } from "./websocket-frames.ts";

/** RFC 6455, 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const NORMAL = 1000;
const PROTOCOL_ERROR = 1002;

/** A connection that speaks WebSocket, as a pair of byte streams: where one message ends is of no meaning. */
export interface WebSocketConnection {
  /** What the client sends in text and binary messages; ends when it closes or is gone. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Fires when the client has closed or is gone: a WebSocket has no half-close. */
  readonly closed: AbortSignal;
  /** Sends one message. Rejects when the client has gone. */
  send(data: Uint8Array): Promise<void>;
  /** Sends a close frame and ends the connection. Idempotent. */
  close(): Promise<void>;
}

/**
 * Answers 101 and takes the connection over. RFC 6455, 4.2.
 *
 * @param options.isText messages to the client are text (API before 1.28), else binary
 * @throws {EngineError} invalid when the request does not ask for a WebSocket of version 13
 */
export async function acceptWebSocket(
  request: Pick<RouteRequest, "headers" | "hijack">,
  options: { readonly isText: boolean },
): Promise<WebSocketConnection> {
  const connection = await request.hijack({
    protocol: "websocket",
    headers: { "Sec-WebSocket-Accept": acceptanceOf(request.headers) },
  });
  const closed = new AbortController();
  let hasSentClose = false;
  const sendClose = async (code: number): Promise<void> => {
    if (hasSentClose) return;
    hasSentClose = true;
    await connection.write(encodeServerFrame("close", Buffer.from([code >> 8, code & 0xff])));
  };
  const onFrame = async (frame: ClientFrame): Promise<Uint8Array | undefined> => {
    if (frame.kind === "data") return frame.data;
    if (frame.kind === "ping") await connection.write(encodeServerFrame("pong", frame.data));
    else await sendClose(frame.code ?? NORMAL);
    return undefined;
  };
  async function* input(): AsyncGenerator<Uint8Array> {
    try {
      for await (const frame of readClientFrames(connection.input)) {
        const data = await onFrame(frame);
        if (data !== undefined && data.byteLength > 0) yield data;
        if (frame.kind === "close") return;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      await sendClose(PROTOCOL_ERROR);
    } finally {
      closed.abort(new EngineError("cancelled", "the client has closed its WebSocket"));
    }
  }
  return {
    input: input(),
    closed: closed.signal,
    send: (data) => connection.write(encodeServerFrame(options.isText ? "text" : "binary", data)),
    async close() {
      await sendClose(NORMAL);
      await connection.end();
    },
  };
}

function acceptanceOf(headers: ReadonlyMap<string, string>): string {
  const key = headers.get("sec-websocket-key") ?? "";
  const asks = (name: string, token: string): boolean =>
    (headers.get(name) ?? "").split(",").some((part) => part.trim().toLowerCase() === token);
  if (!asks("upgrade", "websocket") || !asks("connection", "upgrade")) {
    throw new EngineError("invalid", "Cannot open a WebSocket: the request does not ask to upgrade to it");
  }
  const version = headers.get("sec-websocket-version");
  if (version !== "13") {
    throw new EngineError(
      "invalid",
      `Cannot open a WebSocket: version 13 is known, found "${version ?? ""}"`,
    );
  }
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) {
    throw new EngineError("invalid", `Cannot open a WebSocket: Sec-WebSocket-Key "${key}" is not 16 bytes`);
  }
  return createHash("sha1").update(`${key}${GUID}`).digest("base64");
}
