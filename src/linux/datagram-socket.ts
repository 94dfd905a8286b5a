/**
 * UDP sockets that are open when the call returns, so that one opened within `kernel.inNetworkNamespace` belongs to that
 * namespace for ever. `node:dgram` cannot do this: it binds on a later turn of the event loop.
 */

/** A socket that hears everybody. */
export interface DatagramServer {
  readonly port: number;
  /** A datagram for which the kernel has no room is lost, as datagrams are; so is one after `close`. */
  send(bytes: Uint8Array, port: number, address: string): void;
  close(): void;
}

export interface DatagramServerOptions {
  readonly address: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  /** The bytes are the receiver's to keep. */
  received(bytes: Uint8Array, port: number, address: string): void;
}

/** @throws {Error} with `code` EADDRINUSE, EADDRNOTAVAIL */
export function openDatagramServer(options: DatagramServerOptions): DatagramServer {
  const socket = openNow({
    hostname: options.address,
    port: options.port,
    socket: {
      data: (_socket, bytes, port, address) => options.received(bytes, port, address),
      // An answer that found nobody: the asker has gone.
      error: () => undefined,
    },
  });
  return {
    port: socket.port,
    send: (bytes, port, address) => {
      if (!socket.closed) socket.send(bytes, port, address);
    },
    close: () => socket.close(),
  };
}

/** A socket that hears one other alone: the kernel drops what comes from elsewhere. Its own port is chosen at random. */
export interface DatagramClient {
  send(bytes: Uint8Array): void;
  close(): void;
}

export interface DatagramClientOptions {
  readonly address: string;
  readonly port: number;
  /** The bytes are the receiver's to keep. */
  received(bytes: Uint8Array): void;
  /** The other is not there (ECONNREFUSED) or cannot be reached. */
  failed(error: unknown): void;
}

/** @throws {Error} with `code` ENETUNREACH and others, when the address cannot be reached at all */
export function openDatagramClient(options: DatagramClientOptions): DatagramClient {
  const socket = openNow({
    connect: { hostname: options.address, port: options.port },
    socket: {
      data: (_socket, bytes) => options.received(bytes),
      error: (error) => options.failed(error),
    },
  });
  return { send: (bytes) => void socket.send(bytes), close: () => socket.close() };
}

type UdpSocketOptions = Bun.udp.SocketOptions<"buffer"> | Bun.udp.ConnectSocketOptions<"buffer">;

function openNow(options: Bun.udp.ConnectSocketOptions<"buffer">): Bun.udp.ConnectedSocket<"buffer">;
function openNow(options: Bun.udp.SocketOptions<"buffer">): Bun.udp.Socket<"buffer">;
function openNow(options: UdpSocketOptions): unknown {
  const opening = "connect" in options ? Bun.udpSocket(options) : Bun.udpSocket(options);
  const status = Bun.peek.status(opening);
  if (status === "fulfilled") return Bun.peek<unknown>(opening);
  if (status === "pending") throw new Error("Bun opened a datagram socket later than it was asked to");
  // It is thrown here instead.
  opening.catch(() => undefined);
  throw Bun.peek<unknown>(opening);
}
