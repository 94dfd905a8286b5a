import { chmod, mkdir, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { NEWEST_API } from "#api/version.ts";
import { PRODUCT, VERSION } from "#api/product.ts";
import { EngineError, isErrno } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import { parseApiPath } from "./api-path.ts";
import { httpStatus } from "./error-status.ts";
import type { Exchange } from "./exchange.ts";
import { type ConnectionHandler, serveConnection } from "./http-connection.ts";
import type { RequestHead } from "./request-head.ts";
import type { Route } from "./route.ts";
import { Router } from "./router.ts";

/** Sent with every answer. Clients read `Api-Version` and `Ostype` to negotiate. */
export const COMMON_HEADERS: Readonly<Record<string, string>> = {
  "Api-Version": NEWEST_API.toString(),
  "Docker-Experimental": "false",
  Ostype: "linux",
  Server: `${PRODUCT}/${VERSION} (linux)`,
};

/** Nobody has connected for so long. */
const SILENCE_MS = 50;

/** The Engine API on unix sockets. */
export class ApiServer implements AsyncDisposable {
  readonly #router: Router;
  readonly #log: Logger;
  readonly #onClient: () => void;
  #lastClientAt = Number.NEGATIVE_INFINITY;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  /**
   * `onClient` is called when somebody has connected after a silence: some milliseconds before the request of a command
   * that loads. Where one client follows another there is nothing to get ready for that is not under way.
   */
  constructor(routes: readonly Route[], log: Logger, onClient: () => void = () => undefined) {
    this.#router = new Router(routes);
    this.#log = log;
    this.#onClient = onClient;
  }

  /** Listens on a unix socket that only its owner can open (case 33). A stale socket file is replaced. */
  async listen(path: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await rm(path, { force: true });
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) =>
      this.#serve(socket),
    );
    const mask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(path, resolve);
      });
    } catch (error) {
      const why = isErrno(error, "EADDRINUSE") ? "another process listens there" : "it cannot be opened";
      throw new EngineError("unavailable", `Cannot listen on ${path}: ${why}`, { cause: error });
    } finally {
      process.umask(mask);
    }
    await chmod(path, 0o600);
    this.#servers.push(server);
  }

  /** Stops listening and ends every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  #serve(socket: Socket): void {
    const now = performance.now();
    if (now - this.#lastClientAt > SILENCE_MS) this.#onClient();
    this.#lastClientAt = now;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const handler: ConnectionHandler = {
      commonHeaders: COMMON_HEADERS,
      handle: (head, exchange, signal) => this.#handle(head, exchange, signal),
    };
    serveConnection(socket, handler).catch((error: unknown) => {
      if (!EngineError.is(error, "cancelled")) this.#log.error("connection failed", { error });
      socket.destroy();
    });
  }

  /** Finds the route, runs it, sends what it says. */
  async #handle(head: RequestHead, exchange: Exchange, signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    try {
      if (head.method === "OPTIONS") return await exchange.send({ kind: "empty", status: 200 });
      const { apiVersion, path } = parseApiPath(pathOf(head.target));
      const match = this.#router.find(head.method, path);
      if (!match) throw new EngineError("not-found", "page not found");
      await exchange.send(await match.route.handle(exchange.request(apiVersion, path, match.params)));
    } catch (error) {
      if (!signal.aborted && httpStatus(error) === 500)
        this.#log.error("request failed", { method: head.method, target: head.target, error });
      await exchange.sendError(error);
    } finally {
      this.#log.debug("request", {
        method: head.method,
        target: head.target,
        ms: Math.round((performance.now() - startedAt) * 100) / 100,
      });
    }
  }
}

function pathOf(target: string): string {
  const mark = target.indexOf("?");
  return mark < 0 ? target : target.slice(0, mark);
}
