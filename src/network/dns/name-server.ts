import { openDatagramServer } from "#linux/datagram-socket.ts";
import type { DatagramServer } from "#linux/datagram-socket.ts";
import { openStreamListener } from "#linux/stream-socket.ts";
import type { StreamConnection, StreamHandlers, StreamListener } from "#linux/stream-socket.ts";
import { NAME_SERVER_ADDRESS } from "../resolv-conf.ts";
import { FrameReader, framed } from "./framing.ts";
import type { Responder } from "./responder.ts";

/** Where a server listens behind port 53; 0 for any. */
export interface ServerPorts {
  readonly udp: number;
  readonly tcp: number;
}

/** Connections of one container at once; the one that comes beyond is turned away. */
const MAX_CONNECTIONS = 64;
/** Questions of one connection at once; it is cut beyond. */
const MAX_QUESTIONS = 32;
const CONNECTION_IDLE_MS = 10_000;

/** The sockets on 127.0.0.11 in one container's network namespace. Waits in the event loop: a silent one costs nothing. */
export class NameServer {
  readonly #responder: Responder;
  readonly #datagrams: DatagramServer;
  readonly #streams: StreamListener;
  #connections = 0;

  /** Opens the sockets in the network namespace of this thread. @throws {Error} EADDRINUSE */
  constructor(responder: Responder, ports: ServerPorts) {
    this.#responder = responder;
    const address = NAME_SERVER_ADDRESS;
    this.#datagrams = openDatagramServer({
      address,
      port: ports.udp,
      received: (bytes, port, from) => this.#receive(bytes, port, from),
    });
    try {
      this.#streams = openStreamListener({
        address,
        port: ports.tcp,
        accepted: (connection) => this.#accept(connection),
      });
    } catch (error) {
      this.#datagrams.close();
      throw error;
    }
  }

  get ports(): ServerPorts {
    return { udp: this.#datagrams.port, tcp: this.#streams.port };
  }

  close(): void {
    this.#datagrams.close();
    this.#streams.close();
  }

  #receive(bytes: Uint8Array, port: number, from: string): void {
    const answer = this.#responder.respond(bytes, "udp");
    if (answer === undefined) return;
    if (answer instanceof Uint8Array) this.#datagrams.send(answer, port, from);
    else void answer.then((late) => this.#datagrams.send(late, port, from));
  }

  #accept(connection: StreamConnection): StreamHandlers | undefined {
    if (this.#connections >= MAX_CONNECTIONS) return undefined;
    this.#connections++;
    const frames = new FrameReader();
    const idle = setTimeout(() => connection.close(), CONNECTION_IDLE_MS);
    idle.unref();
    let waiting = 0;
    return {
      received: (bytes) => {
        idle.refresh();
        for (const message of frames.push(bytes)) {
          const answer = this.#responder.respond(message, "tcp");
          if (answer instanceof Uint8Array) connection.write(framed(answer));
          else if (answer === undefined || ++waiting > MAX_QUESTIONS) return connection.close();
          else {
            void answer.then((late) => {
              waiting--;
              connection.write(framed(late));
            });
          }
        }
      },
      closed: () => {
        clearTimeout(idle);
        this.#connections--;
      },
    };
  }
}
