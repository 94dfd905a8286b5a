import type { ApiVersion } from "#api/version.ts";
import { parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { ByteStream } from "./byte-stream.ts";
import { errorBody, httpStatus } from "./error-status.ts";
import type { RequestBody } from "./request-body.ts";
import { type RequestHead, wantsUpgrade } from "./request-head.ts";
import type { BodyWriter, HijackedConnection, HijackOptions, Reply, RouteRequest } from "./route.ts";

/** A JSON request body is no longer than this: a seccomp profile and a thousand labels fit many times. */
const MAX_JSON_BYTES = 8 * 1024 * 1024;

const REASON: ReadonlyMap<number, string> = new Map([
  [200, "OK"],
  [201, "Created"],
  [202, "Accepted"],
  [204, "No Content"],
  [304, "Not Modified"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [409, "Conflict"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [503, "Service Unavailable"],
]);

export interface ExchangeOptions {
  readonly stream: ByteStream;
  readonly head: RequestHead;
  readonly body: RequestBody;
  readonly signal: AbortSignal;
  /** Sent with every answer, errors too. */
  readonly commonHeaders: Readonly<Record<string, string>>;
  /** The connection ends after this answer. */
  readonly isLast: boolean;
}

/** One request and its answer on a connection. */
export class Exchange {
  readonly #stream: ByteStream;
  readonly #head: RequestHead;
  readonly #body: RequestBody;
  readonly #options: ExchangeOptions;
  #hasAnswered = false;
  #isHijacked = false;

  constructor(options: ExchangeOptions) {
    this.#stream = options.stream;
    this.#head = options.head;
    this.#body = options.body;
    this.#options = options;
  }

  get isHijacked(): boolean {
    return this.#isHijacked;
  }

  /** What a route sees of this exchange. */
  request(apiVersion: ApiVersion, path: string, params: ReadonlyMap<string, string>): RouteRequest {
    const target = this.#head.target;
    const mark = target.indexOf("?");
    return {
      method: this.#head.method,
      path,
      apiVersion,
      query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
      headers: this.#head.headers,
      signal: this.#options.signal,
      param: (name) => required(params, name),
      json: () => this.#json(),
      body: this.#body,
      hijack: (options) => this.#hijack(apiVersion, options),
    };
  }

  async send(reply: Reply): Promise<void> {
    switch (reply.kind) {
      case "hijacked":
        return;
      case "empty":
        return await this.#sendWhole(reply.status, reply.headers ?? {}, "");
      case "json":
        return await this.#sendWhole(
          reply.status,
          { "Content-Type": "application/json", ...reply.headers },
          `${JSON.stringify(reply.body)}\n`,
        );
      case "text":
        return await this.#sendWhole(
          reply.status,
          { "Content-Type": reply.contentType, ...reply.headers },
          reply.body,
        );
      case "stream":
        return await this.#sendStream(reply);
    }
  }

  /** Answers with an error, or ends the connection when an answer is under way already. */
  async sendError(error: unknown): Promise<void> {
    if (this.#hasAnswered) {
      this.#stream.destroy();
      return;
    }
    await this.send({ kind: "json", status: httpStatus(error), body: errorBody(error) });
  }

  async #sendWhole(status: number, headers: Readonly<Record<string, string>>, body: string): Promise<void> {
    const bytes = Buffer.from(body);
    const hasLength = status !== 204 && status !== 304;
    const head = this.#answerHead(status, {
      ...headers,
      ...(hasLength && { "Content-Length": String(bytes.byteLength) }),
    });
    const isBodiless = this.#head.method === "HEAD" || !hasLength;
    await this.#stream.write(isBodiless ? head : Buffer.concat([Buffer.from(head, "latin1"), bytes]));
  }

  async #sendStream(reply: Reply & { kind: "stream" }): Promise<void> {
    const isChunked = !this.#head.isHttp10;
    const framing: Record<string, string> = isChunked ? { "Transfer-Encoding": "chunked" } : {};
    await this.#stream.write(
      this.#answerHead(reply.status, { "Content-Type": reply.contentType, ...reply.headers, ...framing }),
    );
    await reply.write(
      isChunked ? chunkedWriter(this.#stream) : { write: (data) => this.#stream.write(data) },
    );
    if (isChunked) await this.#stream.write("0\r\n\r\n");
  }

  #answerHead(status: number, headers: Readonly<Record<string, string>>): string {
    this.#hasAnswered = true;
    const all = {
      ...this.#options.commonHeaders,
      ...headers,
      ...(this.#options.isLast && { Connection: "close" }),
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    return `HTTP/1.1 ${status} ${REASON.get(status) ?? "Status"}\r\n${lines.join("")}Date: ${new Date().toUTCString()}\r\n\r\n`;
  }

  async #json(): Promise<unknown> {
    const bytes = await this.#body.bytes(MAX_JSON_BYTES);
    if (bytes.byteLength === 0) return undefined;
    const type = this.#head.headers.get("content-type") ?? "";
    if (!/^application\/json\s*(;|$)/i.test(type)) {
      throw new EngineError(
        "invalid",
        `unsupported Content-Type header (${type}): must be 'application/json'`,
      );
    }
    return parseJson(new TextDecoder().decode(bytes), "request body");
  }

  async #hijack(version: ApiVersion, options: HijackOptions): Promise<HijackedConnection> {
    await this.#body.skipDeclared(MAX_JSON_BYTES);
    const head = "protocol" in options ? protocolHead(options) : this.#streamHead(version, options);
    this.#hasAnswered = true;
    this.#isHijacked = true;
    this.#stream.onEnd = undefined;
    await this.#stream.write(head);
    return {
      input: allBytes(this.#stream),
      write: (data) => this.#stream.write(data),
      end: () => this.#stream.end(),
    };
  }

  #streamHead(
    version: ApiVersion,
    { framed, commonHeaders }: { readonly framed: boolean; readonly commonHeaders: boolean },
  ): string {
    const isUpgrade = wantsUpgrade(this.#head);
    const isFramed = framed && isUpgrade && version.atLeast(1, 42);
    const type = `application/vnd.docker.${isFramed ? "multiplexed" : "raw"}-stream`;
    const common = commonHeaders ? headerLines(this.#options.commonHeaders) : "";
    const upgrade = isUpgrade ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "";
    return `HTTP/1.1 ${isUpgrade ? "101 UPGRADED" : "200 OK"}\r\nContent-Type: ${type}\r\n${upgrade}${common}\r\n`;
  }
}

function protocolHead({ protocol, headers }: Extract<HijackOptions, { protocol: string }>): string {
  const upgrade = `Upgrade: ${protocol}\r\nConnection: Upgrade\r\n`;
  return `HTTP/1.1 101 Switching Protocols\r\n${upgrade}${headerLines(headers)}\r\n`;
}

function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}

const CRLF = Buffer.from("\r\n", "latin1");
/** From here on a copy costs more than two writes. */
const WHOLE_BYTES = 64 * 1024;

function chunkedWriter(stream: ByteStream): BodyWriter {
  return {
    async write(data) {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      if (bytes.byteLength === 0) return;
      const size = Buffer.from(`${bytes.byteLength.toString(16)}\r\n`, "latin1");
      if (bytes.byteLength < WHOLE_BYTES) {
        await stream.write(Buffer.concat([size, bytes, CRLF]));
        return;
      }
      await stream.write(size);
      await stream.write(bytes);
      await stream.write(CRLF);
    },
  };
}

async function* allBytes(stream: ByteStream): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = await stream.read();
    if (chunk === undefined) return;
    yield chunk;
  }
}

function required(params: ReadonlyMap<string, string>, name: string): string {
  const value = params.get(name);
  if (value === undefined) throw new Error(`the route has no parameter {${name}}`);
  return value;
}
