/**
 * TCP sockets that are open when the call returns, so that one opened within `kernel.inNetworkNamespace` belongs to that
 * namespace for ever. What is written waits in memory until the kernel takes it, up to a limit.
 */

/** A connection that holds more than this unsent is cut: the other does not read. */
const MAX_UNSENT_BYTES = 256 * 1024;

export interface StreamConnection {
  /** Cuts the connection when the other does not read. */
  write(bytes: Uint8Array): void;
  close(): void;
}

export interface StreamHandlers {
  /** The bytes are the receiver's to keep. */
  received(bytes: Uint8Array): void;
  /** Once, however it ended. */
  closed(): void;
}

export interface StreamListener {
  readonly port: number;
  /** Connections go as well. */
  close(): void;
}

export interface StreamListenerOptions {
  readonly address: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  /** `undefined` turns the connection away. */
  accepted(connection: StreamConnection): StreamHandlers | undefined;
}

/** @throws {Error} with `code` EADDRINUSE, EADDRNOTAVAIL */
export function openStreamListener(options: StreamListenerOptions): StreamListener {
  const listener = Bun.listen<Carried>({
    hostname: options.address,
    port: options.port,
    socket: {
      open(socket) {
        const connection = new Connection(socket);
        const handlers = options.accepted(connection);
        if (handlers === undefined) socket.terminate();
        else socket.data = { connection, handlers };
      },
      ...CARRYING,
    },
  });
  return { port: listener.port, close: () => listener.stop(true) };
}

export interface StreamClientOptions extends StreamHandlers {
  readonly address: string;
  readonly port: number;
  connected(connection: StreamConnection): void;
}

/** Begins to connect; `closed` tells of a failure too. The result gives up. */
export function openStreamClient(options: StreamClientOptions): () => void {
  let isGivenUp = false;
  let connection: Connection | undefined;
  const connecting = Bun.connect<Carried>({
    hostname: options.address,
    port: options.port,
    socket: {
      ...CARRYING,
      open(socket) {
        connection = new Connection(socket);
        socket.data = { connection, handlers: options };
        if (isGivenUp) socket.terminate();
        else options.connected(connection);
      },
      connectError: () => options.closed(),
    },
  });
  // `connectError` has told of it.
  connecting.catch(() => undefined);
  return () => {
    isGivenUp = true;
    connection?.close();
  };
}

/** What a socket of Bun carries. Absent on one that was turned away. */
type Carried = { readonly connection: Connection; readonly handlers: StreamHandlers } | undefined;

const CARRYING: Pick<Bun.SocketHandler<Carried>, "data" | "drain" | "end" | "close" | "error"> = {
  data: (socket, bytes) => socket.data?.handlers.received(bytes),
  drain: (socket) => socket.data?.connection.drained(),
  end: (socket) => socket.terminate(),
  close: (socket) => socket.data?.handlers.closed(),
  error: () => undefined,
};

class Connection implements StreamConnection {
  readonly #socket: Bun.Socket<Carried>;
  #unsent: Uint8Array = new Uint8Array(0);

  constructor(socket: Bun.Socket<Carried>) {
    this.#socket = socket;
  }

  write(bytes: Uint8Array): void {
    const all = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    const written = this.#unsent.length === 0 ? Math.max(0, this.#socket.write(all)) : 0;
    this.#unsent = all.subarray(written);
    if (this.#unsent.length > MAX_UNSENT_BYTES) this.#socket.terminate();
  }

  drained(): void {
    if (this.#unsent.length === 0) return;
    this.#unsent = this.#unsent.subarray(Math.max(0, this.#socket.write(this.#unsent)));
  }

  close(): void {
    this.#socket.end();
  }
}
