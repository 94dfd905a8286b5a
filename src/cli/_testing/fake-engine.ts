import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { EngineClient } from "#api/client.ts";
import { dial } from "#api/dial.ts";

/** One request as the fake engine saw it. */
export interface Seen {
  /** `POST /containers/create` */
  readonly call: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Reply {
  readonly status?: number;
  readonly json?: unknown;
  /** Lines of JSON. */
  readonly lines?: readonly unknown[];
  /** Held back until it resolves; the headers go out at once. */
  readonly after?: Promise<unknown>;
}

type Handle = (seen: Seen) => Reply;
type Hijack = (socket: Duplex, seen: Seen) => void;

/** A small engine on a unix socket that speaks real HTTP: the test says what each call answers. */
export class FakeEngine implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly client: EngineClient;
  readonly socket: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "darse-fake-"));
  readonly #server = createServer();

  private constructor() {
    this.socket = join(this.#folder, "s");
    this.client = new EngineClient({ host: { kind: "unix", path: this.socket }, dial });
  }

  /** Calls are `METHOD /path`; what is not in `replies` or `hijacks` answers Docker's 404. */
  static async open(
    replies: Readonly<Record<string, Handle>>,
    hijacks: Readonly<Record<string, Hijack>> = {},
  ): Promise<FakeEngine> {
    const engine = new FakeEngine();
    engine.#server.on("request", (request, response) => void engine.#answer(request, response, replies));
    engine.#server.on("upgrade", (request, socket) => {
      const seen = engine.#see(request, Buffer.alloc(0));
      socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
      hijacks[seen.call]?.(socket, seen);
    });
    engine.#server.listen(engine.socket);
    await once(engine.#server, "listening");
    return engine;
  }

  /** The calls in their order. */
  get calls(): string[] {
    return this.seen.map(({ call }) => call);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    rmSync(this.#folder, { recursive: true, force: true });
    await Promise.resolve();
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    replies: Readonly<Record<string, Handle>>,
  ): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const seen = this.#see(request, Buffer.concat(chunks));
    const reply = replies[seen.call]?.(seen) ?? { status: 404, json: { message: "page not found" } };
    response.writeHead(reply.status ?? 200, { "Content-Type": "application/json" });
    response.flushHeaders();
    await reply.after;
    for (const line of reply.lines ?? []) response.write(`${JSON.stringify(line)}\n`);
    response.end(reply.json === undefined ? "" : `${JSON.stringify(reply.json)}\n`);
  }

  #see(request: IncomingMessage, body: Buffer): Seen {
    const url = new URL(request.url ?? "/", "http://engine");
    const call = `${request.method} ${url.pathname}`;
    const seen = { call, query: url.searchParams, headers: request.headers, body };
    this.seen.push(seen);
    return seen;
  }
}
