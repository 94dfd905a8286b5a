import type { IncomingMessage, ServerResponse } from "node:http";
import { Fault } from "../fault.ts";

/** What a handler answers. */
export type Answer =
  | { readonly kind: "empty"; readonly status: number; readonly headers?: Headers }
  | { readonly kind: "json"; readonly status: number; readonly headers?: Headers; readonly value: unknown }
  | {
      readonly kind: "bytes";
      readonly status: number;
      readonly headers: Headers;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: "stream";
      readonly status: number;
      readonly headers: Headers;
      /** Writes the body; the length is in the headers. */
      readonly send: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>;
    };

export type Headers = Readonly<Record<string, string>>;

export interface ExchangeOptions {
  /** A client that sends nothing, or takes nothing, for so long is given up. */
  readonly idleMs: number;
}

/** An unread body up to this is skipped, so that the connection lives; beyond it the connection ends. */
const SKIPPED_BYTES = 256 * 1024;

/** One request and its answer. */
export class Exchange {
  readonly method: string;
  readonly url: URL;
  /** As sent, percent-encoded, without the query. */
  readonly path: string;
  readonly remoteAddress: string;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #options: ExchangeOptions;
  readonly #gone: Promise<"gone">;
  #isRead = false;
  received = 0;
  sent = 0;

  constructor(request: IncomingMessage, response: ServerResponse, options: ExchangeOptions) {
    this.#request = request;
    this.#response = response;
    this.#options = options;
    this.remoteAddress = request.socket.remoteAddress ?? "";
    this.method = request.method ?? "";
    const target = request.url ?? "/";
    const mark = target.indexOf("?");
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.url = new URL(mark < 0 ? "" : target.slice(mark), "http://registry.invalid/");
    this.#gone = new Promise((resolve) => response.once("close", () => resolve("gone")));
    // a cut connection shows where the body is read or the answer written
    request.on("error", () => undefined);
    response.on("error", () => undefined);
  }

  get query(): URLSearchParams {
    return this.url.searchParams;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** What the client says that the body has; `undefined` when it does not say. */
  get contentLength(): number | undefined {
    const text = this.header("content-length");
    return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  }

  get status(): number {
    return this.#response.statusCode;
  }

  /** The body, as it comes. @throws {Fault} when the client stops sending */
  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#isRead = true;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#giveUp();
    }, this.#options.idleMs);
    try {
      for await (const chunk of this.#request.iterator({
        destroyOnReturn: false,
      }) as AsyncIterable<Uint8Array>) {
        this.received += chunk.byteLength;
        yield chunk;
        timer.refresh();
      }
    } catch (error) {
      const why = isLate ? "nothing came for too long" : "the connection was cut";
      throw new Fault("BLOB_UPLOAD_INVALID", why, { status: isLate ? 408 : 400, cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** A whole body. @throws {Fault} SIZE_INVALID beyond `maxBytes`; then the rest is not read */
  async bytes(maxBytes: number): Promise<Uint8Array> {
    const tooLarge = (): Fault =>
      new Fault("SIZE_INVALID", `the body has more than ${maxBytes} bytes`, { status: 413 });
    if ((this.contentLength ?? 0) > maxBytes) throw tooLarge();
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.body()) {
      if (this.received > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** Sends the answer; of one to HEAD, the headers alone. That the client has gone is no error. */
  async send(answer: Answer): Promise<void> {
    if (this.#response.destroyed || this.#response.headersSent) return;
    const { body, headers } = bodyOf(answer);
    if (this.#leavesBody()) this.#response.setHeader("Connection", "close");
    this.#response.writeHead(answer.status, { ...headers });
    try {
      if (this.method !== "HEAD") await body((chunk) => this.#write(chunk));
      this.#response.end();
    } catch (error) {
      // a body that is not whole must not look so
      this.#response.destroy();
      if (!(error instanceof ClientGone)) throw error;
    }
  }

  /** Resolves when the chunk may be used again. @throws {ClientGone} also when it takes nothing for too long */
  async #write(chunk: Uint8Array): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), this.#options.idleMs);
    });
    const written = new Promise<"written" | "gone">((resolve) => {
      this.#response.write(chunk, (error) => resolve(error ? "gone" : "written"));
    });
    try {
      const outcome = await Promise.race([written, this.#gone, late]);
      if (outcome === "written") this.sent += chunk.byteLength;
      else throw new ClientGone(outcome);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Answers before the connection ends: cut without one, it would pass for a success. */
  #giveUp(): void {
    if (!this.#response.headersSent)
      this.#response.writeHead(408, { Connection: "close", "Content-Length": "0" });
    this.#response.end(() => this.#request.destroy());
  }

  #leavesBody(): boolean {
    if (this.#request.complete) return false;
    const rest = this.header("transfer-encoding") === undefined ? (this.contentLength ?? 0) : Infinity;
    return this.#isRead || rest > SKIPPED_BYTES;
  }
}

class ClientGone extends Error {}

type Write = (chunk: Uint8Array) => Promise<void>;

function bodyOf(answer: Answer): { headers: Headers; body: (write: Write) => Promise<void> } {
  switch (answer.kind) {
    case "empty":
      return { headers: lengthOf(answer, 0), body: async () => undefined };
    case "json":
    case "bytes": {
      const bytes =
        answer.kind === "bytes"
          ? answer.bytes
          : new TextEncoder().encode(`${JSON.stringify(answer.value)}\n`);
      const type: Headers = answer.kind === "json" ? { "Content-Type": "application/json" } : {};
      return { headers: { ...type, ...lengthOf(answer, bytes.byteLength) }, body: (write) => write(bytes) };
    }
    case "stream":
      return { headers: answer.headers, body: answer.send };
  }
}

function lengthOf({ status, headers }: Answer, length: number): Headers {
  // RFC 9110, section 8.6: none with 204 and none that differs from the 200's with 304
  return status === 204 || status === 304 ? { ...headers } : { "Content-Length": String(length), ...headers };
}
