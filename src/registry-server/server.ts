import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { setTimeout as pause } from "node:timers/promises";
import { EngineError, errorMessage, isErrno } from "#base/errors.ts";
import { Exchange } from "./http/exchange.ts";
import { type Metrics, METRICS_TYPE } from "./http/metrics.ts";
import type { Registry } from "./registry.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** PEM texts. */
export interface Tls {
  readonly certificate: string;
  readonly key: string;
  /** Who signs the certificates that clients must show; any client when absent. */
  readonly clientAuthority?: string | undefined;
}

export interface ServerOptions {
  readonly tls?: Tls | undefined;
  readonly idleMs?: number;
}

/** A request's headers must be there within this, and the next request within the other (slow clients). */
const HEADERS_MS = 20_000;
const KEEP_ALIVE_MS = 75_000;
const IDLE_MS = 60_000;
const MAX_HEADER_BYTES = 32 * 1024;
const MAX_CONNECTIONS = 4096;
/** No limit on a whole request: a blob takes as long as it takes, while something comes. */
const LIMITS = {
  headersTimeout: HEADERS_MS,
  requestTimeout: 0,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionsCheckingInterval: 5000,
  maxHeaderSize: MAX_HEADER_BYTES,
};
/** What is being answered when the server stops gets so long. */
const STOP_MS = 10_000;

/** Puts a registry on the network. Dispose to stop it: requests under way are finished first. */
export class RegistryServer implements AsyncDisposable {
  readonly #server: Server;
  /** Requests being answered. */
  readonly #work: ReadonlySet<Promise<void>>;

  private constructor(server: Server, work: ReadonlySet<Promise<void>>) {
    this.#server = server;
    this.#work = work;
  }

  /** @throws {EngineError} unavailable when nobody can listen there, invalid for a certificate that cannot be used */
  static async listen(
    registry: Registry,
    address: Address,
    options: ServerOptions = {},
  ): Promise<RegistryServer> {
    const { idleMs = IDLE_MS, tls } = options;
    const work = new Set<Promise<void>>();
    const server = makeServer(tls, (request, response) => {
      const answered = registry.handle(new Exchange(request, response, { idleMs }));
      work.add(answered);
      void answered.finally(() => work.delete(answered));
    });
    server.maxConnections = MAX_CONNECTIONS;
    await listening(server, address);
    return new RegistryServer(server, work);
  }

  get address(): Address {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no address");
    return { host: address.address, port: address.port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await Promise.race([Promise.allSettled(this.#work), pause(STOP_MS, undefined, { ref: false })]);
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Serves `/metrics` and nothing else, without asking who comes. Dispose to stop. */
export async function listenForMetrics(metrics: Metrics, address: Address): Promise<AsyncDisposable> {
  const server = createServer(LIMITS, (request, response) => {
    const isKnown = request.method === "GET" && request.url?.split("?", 1)[0] === "/metrics";
    response.writeHead(isKnown ? 200 : 404, { "Content-Type": METRICS_TYPE });
    response.end(isKnown ? metrics.text() : "");
  });
  await listening(server, address);
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listening(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(address, error)));
    server.listen(address.port, address.host, resolve);
  });
}

function makeServer(tls: Tls | undefined, listener: RequestListener): Server {
  if (tls === undefined) return createServer(LIMITS, listener);
  try {
    return createSecureServer(
      {
        ...LIMITS,
        cert: tls.certificate,
        key: tls.key,
        minVersion: "TLSv1.2",
        ...(tls.clientAuthority !== undefined && {
          ca: tls.clientAuthority,
          requestCert: true,
          rejectUnauthorized: true,
        }),
      },
      listener,
    );
  } catch (error) {
    throw new EngineError("invalid", `Cannot use the certificate: ${errorMessage(error)}`, { cause: error });
  }
}

function cannotListen({ host, port }: Address, error: unknown): EngineError {
  const why = isErrno(error, "EADDRINUSE") ? "another process listens there" : errorMessage(error);
  return new EngineError("unavailable", `Cannot listen on ${host}:${port}: ${why}`, { cause: error });
}
