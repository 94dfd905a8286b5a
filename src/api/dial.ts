import { EngineError } from "#base/errors.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import { formatHost, type Host } from "./host.ts";

/** A two-way byte stream; each direction ends by itself (half-close). */
export interface Connection {
  /** What the other side sends; ends at its half-close. */
  readonly input: ChunkQueue;
  /** Resolves when the bytes are handed to the kernel (back-pressure). */
  write(data: Uint8Array): Promise<void>;
  /** Half-closes: nothing more is written. */
  end(): void;
  /** Ends both directions at once; a waiting reader gets `reason`, or the end. */
  destroy(reason?: unknown): void;
}

const REASON: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket",
  ECONNREFUSED: "connection refused",
  EACCES: "permission denied",
  EPERM: "permission denied",
};

export type Dial = (host: Host) => Promise<Connection>;

/**
 * Connects to an engine. `Bun.connect` where there is one: it needs none of the stream modules, which is 4 ms of a
 * command's 10; `node:net` on other runtimes.
 *
 * @throws {EngineError} unavailable when nothing answers, forbidden when the socket may not be opened
 */
export const dial: Dial = async (host) => {
  try {
    return typeof Bun === "undefined" ? await dialNode(host) : await dialBun(host);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const kind = code === "EACCES" || code === "EPERM" ? "forbidden" : "unavailable";
    throw new EngineError(
      kind,
      `Cannot connect to the engine at ${formatHost(host)}: ${REASON[code] ?? (code || String(error))}`,
      {
        cause: error,
      },
    );
  }
};

export async function dialBun(host: Host): Promise<Connection> {
  const connection = new BunConnection();
  const options = { socket: connection.handlers, allowHalfOpen: true };
  if (host.kind === "unix") await Bun.connect({ ...options, unix: host.path });
  else await Bun.connect({ ...options, hostname: host.address, port: host.port });
  return connection;
}

class BunConnection implements Connection {
  readonly input = new ChunkQueue({
    pause: () => this.#socket?.pause(),
    resume: () => this.#socket?.resume(),
  });
  readonly handlers = {
    open: (socket: Bun.Socket): void => {
      this.#socket = socket;
    },
    data: (_: Bun.Socket, chunk: Uint8Array) => this.input.push(chunk),
    drain: () => this.#drained(),
    end: () => this.input.end(),
    close: (_: Bun.Socket, error?: Error) => this.#closed(error && lost(error)),
    error: (_: Bun.Socket, error: Error) => this.#closed(lost(error)),
    // `Bun.connect` rejects as well; that is the one that is awaited.
    connectError: () => undefined,
  };
  #socket: Bun.Socket | undefined;
  #isClosed = false;
  #wake: (() => void) | undefined;

  async write(data: Uint8Array): Promise<void> {
    for (let rest = data; rest.length > 0; ) {
      if (this.#isClosed || !this.#socket) {
        throw new EngineError("unavailable", "Cannot write to the engine: it closed the connection");
      }
      rest = rest.subarray(Math.max(0, this.#socket.write(rest)));
      if (rest.length > 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  end(): void {
    this.#socket?.shutdown();
  }

  destroy(reason?: unknown): void {
    this.#closed(reason);
    this.#socket?.terminate();
  }

  #closed(error: unknown): void {
    this.#isClosed = true;
    if (error === undefined) this.input.end();
    else this.input.fail(error);
    this.#drained();
  }

  #drained(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

export async function dialNode(host: Host): Promise<Connection> {
  const net = await import("node:net");
  const target = host.kind === "unix" ? { path: host.path } : { host: host.address, port: host.port };
  return await new Promise<Connection>((resolve, reject) => {
    const socket = net.connect({ ...target, allowHalfOpen: true });
    const input = new ChunkQueue({ pause: () => socket.pause(), resume: () => socket.resume() });
    socket.on("data", (chunk: Uint8Array) => input.push(chunk));
    socket.on("end", () => input.end());
    socket.on("close", () => input.end());
    socket.on("error", (error) => {
      reject(error);
      input.fail(lost(error));
    });
    const write = async (data: Uint8Array): Promise<void> =>
      await new Promise<void>((done, failed) =>
        socket.write(data, (error) => (error ? failed(error) : done())),
      );
    const destroy = (reason?: unknown): void => {
      if (reason) input.fail(reason);
      socket.destroy();
    };
    socket.once("connect", () => resolve({ input, write, end: () => void socket.end(), destroy }));
  });
}

function lost(error: Error): EngineError {
  return new EngineError("unavailable", `The connection to the engine was lost: ${error.message}`, {
    cause: error,
  });
}
