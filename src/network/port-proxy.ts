import { createSocket } from "node:dgram";
import type { Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";

/** Where a proxy listens, and where it carries what comes. */
export interface ProxyOptions {
  /** IPv6; `::` for every IPv6 address of the host, IPv4 not among them. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly target: { readonly address: string; readonly port: number };
}

/** Ends when disposed: the port is free again, connections are cut. */
export type PortProxy = AsyncDisposable;

/** A sender that stays silent this long is forgotten (Docker's own limit). */
const DATAGRAM_IDLE_MS = 90_000;
/** Senders remembered at once; the oldest makes room. */
const MAX_DATAGRAM_SENDERS = 1024;

/**
 * Carries TCP connections, each direction ending on its own, to a container that has no IPv6.
 *
 * @throws {Error} with `code` EADDRINUSE, EADDRNOTAVAIL or EAFNOSUPPORT
 */
export async function openTcpProxy(options: ProxyOptions): Promise<PortProxy> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const { address: host, port } = options.target;
    const container = connect({ host, port, allowHalfOpen: true });
    const cut = (): void => {
      client.destroy();
      container.destroy();
    };
    for (const socket of [client, container]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.once("error", cut);
      socket.once("close", () => sockets.delete(socket));
    }
    client.pipe(container);
    container.pipe(client);
  });
  server.listen({ host: options.hostIp, port: options.hostPort, ipv6Only: true });
  await once(server, "listening");
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/**
 * Carries datagrams, a socket of its own for each sender, so that answers find their way back.
 *
 * @throws {Error} with `code` EADDRINUSE, EADDRNOTAVAIL or EAFNOSUPPORT
 */
export async function openUdpProxy(options: ProxyOptions): Promise<PortProxy> {
  const senders = new Map<string, DatagramSender>();
  const server = createSocket({ type: "udp6", ipv6Only: true });
  server.on("message", (datagram, from) => {
    const key = `${from.address} ${from.port}`;
    let sender = senders.get(key);
    if (sender === undefined) {
      if (senders.size >= MAX_DATAGRAM_SENDERS) senders.values().next().value?.close();
      const answer = (bytes: Buffer): void => server.send(bytes, from.port, from.address);
      sender = new DatagramSender(options.target, answer, () => senders.delete(key));
      senders.set(key, sender);
    }
    sender.send(datagram);
  });
  server.bind({ address: options.hostIp, port: options.hostPort, exclusive: true });
  await once(server, "listening");
  return {
    async [Symbol.asyncDispose]() {
      for (const sender of senders.values()) sender.close();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

/** One sender's datagrams on their way to the container, until it falls silent. */
class DatagramSender {
  readonly #target: ProxyOptions["target"];
  readonly #socket: DatagramSocket;
  readonly #idle: NodeJS.Timeout;
  readonly #onClose: () => void;
  #isOpen = true;

  constructor(target: ProxyOptions["target"], answer: (bytes: Buffer) => void, onClose: () => void) {
    this.#target = target;
    this.#socket = createSocket(target.address.includes(":") ? "udp6" : "udp4");
    this.#onClose = onClose;
    this.#idle = setTimeout(() => this.close(), DATAGRAM_IDLE_MS);
    this.#idle.unref();
    this.#socket.on("message", (bytes, from) => {
      if (from.address !== target.address || from.port !== target.port) return;
      this.#idle.refresh();
      answer(bytes);
    });
    this.#socket.on("error", () => this.close());
  }

  send(datagram: Buffer): void {
    this.#idle.refresh();
    this.#socket.send(datagram, this.#target.port, this.#target.address);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#idle);
    this.#socket.close();
    this.#onClose();
  }
}
