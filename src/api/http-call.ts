import { EngineError } from "#base/errors.ts";
import { ApiError } from "./api-error.ts";
import type { Connection, Dial } from "./dial.ts";
import type { Host } from "./host.ts";
import { HttpReader, type ResponseHead } from "./http-reader.ts";

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface CallOptions {
  readonly method: string;
  /** Begins with `/`, with its version prefix. */
  readonly path: string;
  readonly query?: Query | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes go with their length, a stream in chunks. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** Asks to leave HTTP; the answer is 101 or 200. */
  readonly upgrade?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly head: ResponseHead;
  /** Once; leaving it early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  readonly connection: Connection;
  /** What follows the head, without transfer coding: for a hijacked connection. */
  raw(): AsyncIterable<Uint8Array>;
}

/** An error body is text for people. */
const MAX_ERROR_BYTES = 1024 * 1024;

/**
 * One HTTP/1.1 exchange on its own connection: over a unix socket that costs 50 µs, and a call that streams, hangs or
 * is hijacked never holds another up.
 *
 * @throws {ApiError} when the status is 400 or more
 */
export async function call(target: { host: Host; dial: Dial }, options: CallOptions): Promise<Answer> {
  options.signal?.throwIfAborted();
  const connection = await target.dial(target.host);
  const abort = (): void => connection.destroy(options.signal?.reason);
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    const sent = send(connection, options);
    sent.catch((error: unknown) => connection.destroy(error));
    const reader = new HttpReader(connection.input);
    const head = await firstOf(reader.head(), sent);
    if (head.status >= 400) throw await refusal(reader, head, options.method);
    const body = closing(reader.body(head, options.method), () => {
      options.signal?.removeEventListener("abort", abort);
      connection.destroy();
    });
    return { head, body, connection, raw: () => reader.raw() };
  } catch (error) {
    connection.destroy();
    throw options.signal?.aborted ? options.signal.reason : error;
  }
}

/** `?a=1&t=x&t=y`; `undefined` is left out. */
export function encodeQuery(query: Query | undefined): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    const values =
      typeof value === "object" ? value : [typeof value === "boolean" ? (value ? "1" : "0") : String(value)];
    for (const one of values) parts.push(`${key}=${encodeURIComponent(one)}`);
  }
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** The head of the answer, unless sending fails for a reason of our own first; an answer may come before all is sent. */
async function firstOf(
  head: Promise<ResponseHead>,
  sent: Promise<"sent" | "refused">,
): Promise<ResponseHead> {
  const failed = sent.then(() => head);
  head.catch(() => undefined);
  return await Promise.race([head, failed]);
}

async function send(connection: Connection, options: CallOptions): Promise<"sent" | "refused"> {
  const { body } = options;
  const encoder = new TextEncoder();
  const headers = encoder.encode(requestHead(options));
  if (body === undefined || body instanceof Uint8Array) {
    return await deliver(connection, body ? concat(headers, body) : headers);
  }
  if ((await deliver(connection, headers)) === "refused") return "refused";
  for await (const chunk of body) {
    if (chunk.length === 0) continue;
    const size = encoder.encode(`${chunk.length.toString(16)}\r\n`);
    if ((await deliver(connection, concat(size, chunk, CRLF))) === "refused") return "refused";
  }
  return await deliver(connection, encoder.encode("0\r\n\r\n"));
}

const CRLF = new Uint8Array([13, 10]);

/** A server that has refused stops reading: its answer counts then, not our failure to go on. */
async function deliver(connection: Connection, bytes: Uint8Array): Promise<"sent" | "refused"> {
  return await connection.write(bytes).then(
    () => "sent" as const,
    () => "refused" as const,
  );
}

function requestHead(options: CallOptions): string {
  const { body } = options;
  const headers: Record<string, string> = { Host: "darse", "User-Agent": "Darse", ...options.headers };
  if (options.upgrade) Object.assign(headers, { Connection: "Upgrade", Upgrade: "tcp" });
  else headers["Connection"] = "close";
  if (body instanceof Uint8Array) headers["Content-Length"] = String(body.length);
  else if (body) headers["Transfer-Encoding"] = "chunked";
  else if (options.method !== "GET" && options.method !== "HEAD") headers["Content-Length"] = "0";
  const lines = Object.entries(headers).map(([name, value]) => {
    if (/[\r\n\0]/.test(name + value))
      throw new EngineError("invalid", `Cannot send header ${name}: it has a line break`);
    return `${name}: ${value}`;
  });
  return `${options.method} ${options.path}${encodeQuery(options.query)} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

async function refusal(reader: HttpReader, head: ResponseHead, method: string): Promise<ApiError> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of reader.body(head, method)) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_ERROR_BYTES) break;
  }
  return ApiError.from(head.status, new TextDecoder().decode(concat(...chunks)));
}

async function* closing(
  body: AsyncGenerator<Uint8Array, void>,
  close: () => void,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } finally {
    close();
  }
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
