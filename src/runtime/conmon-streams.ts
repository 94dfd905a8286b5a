import { setTimeout as sleep } from "node:timers/promises";
import { EngineError, isErrno } from "#base/errors.ts";
import { openPacketSocket, type PacketSocket } from "#linux/packet-socket.ts";
import { type Attachment, OutputQueue } from "./attachment.ts";

/** What of `linux/` this needs. */
export interface Connector {
  /** A connected, non-blocking `SOCK_SEQPACKET` socket. */
  connectSeqpacket(path: string): number;
}

/**
 * Packets of conmon's attach socket. From conmon: one byte of stream, 2 or 3, then up to 8 KiB of output. To conmon:
 * bare bytes of stdin, of which it reads 32 KiB − 1 and drops the rest; the end of our side is the end of stdin, unless
 * it was told `--leave-stdin-open`.
 */
const STDERR = 3;
const MAX_PACKET_BYTES = 16 * 1024;

/** How often a connection is tried while conmon's queue is full, and how long the pause is. */
const CONNECT_TRIES = 200;
const CONNECT_PAUSE_MS = 10;

/**
 * A process's streams, by one connection to its conmon for all who are attached. One, because conmon takes in one new
 * connection a turn and gives up taking in when the process ends: of several made before a short process starts, some
 * would be lost. It is opened for the first and closed after the last.
 */
export class ConmonStreams {
  readonly #connector: Connector;
  readonly #path: string;
  readonly #endsStdin: boolean;
  #connection: Promise<Connection> | undefined;

  /** `endsStdin`: the process's stdin ends with the client's. */
  constructor(connector: Connector, path: string, { endsStdin }: { endsStdin: boolean }) {
    this.#connector = connector;
    this.#path = path;
    this.#endsStdin = endsStdin;
  }

  /**
   * `stdin: false`: an onlooker, whose going does not end the process's stdin.
   * @throws {EngineError} conflict when the process has ended
   */
  async attach({ stdin }: { stdin: boolean }): Promise<Attachment> {
    const connection = await this.#connect();
    return connection.view(stdin);
  }

  async #connect(): Promise<Connection> {
    const current = await this.#connection;
    if (current?.isOpen) return current;
    this.#connection = connect(this.#connector, this.#path).then((fd) =>
      Connection.open(fd, this.#endsStdin),
    );
    this.#connection.catch(() => {
      this.#connection = undefined;
    });
    return await this.#connection;
  }
}

async function connect(connector: Connector, path: string): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return connector.connectSeqpacket(path);
    } catch (error) {
      if (isErrno(error, "EAGAIN") && tries < CONNECT_TRIES) {
        await sleep(CONNECT_PAUSE_MS);
        continue;
      }
      if (!isErrno(error, "ENOENT", "ECONNREFUSED")) throw error;
      throw new EngineError("conflict", `Cannot attach at ${path}: the process has ended`, { cause: error });
    }
  }
}

class Connection {
  readonly #endsStdin: boolean;
  readonly #queues = new Set<OutputQueue>();
  #socket: PacketSocket | undefined;
  #isPaused = false;
  #isStdinShut = false;
  #isEnded = false;
  /** The end of the last write: writes are sent in order, one at a time. */
  #lastWrite: Promise<void> = Promise.resolve();
  #wakeWriter: () => void = () => undefined;

  private constructor(endsStdin: boolean) {
    this.#endsStdin = endsStdin;
  }

  static async open(fd: number, endsStdin: boolean): Promise<Connection> {
    const connection = new Connection(endsStdin);
    connection.#socket = await openPacketSocket(fd, {
      received: (packet) => connection.#receive(packet),
      drained: () => connection.#wakeWriter(),
      closed: () => connection.#end(),
    });
    return connection;
  }

  get isOpen(): boolean {
    return !this.#isEnded;
  }

  view(stdin: boolean): Attachment {
    const queue = new OutputQueue(() => this.#flow());
    if (this.#isEnded) queue.end();
    this.#queues.add(queue);
    return {
      output: queue.read(),
      write: (data) => this.#write(data),
      closeStdin: () => this.#closeStdin(),
      [Symbol.asyncDispose]: async () => this.#detach(queue, stdin),
    };
  }

  #receive(packet: Uint8Array): void {
    const stream = packet[0] === STDERR ? "stderr" : "stdout";
    const data = packet.subarray(1);
    for (const queue of this.#queues) queue.push({ stream, data });
    this.#flow();
  }

  /** Reads on unless somebody is behind. */
  #flow(): void {
    const isBehind = [...this.#queues].some((queue) => queue.isFull);
    if (isBehind === this.#isPaused || this.#isEnded) return;
    this.#isPaused = isBehind;
    if (isBehind) this.#socket?.pause();
    else this.#socket?.resume();
  }

  #write(data: Uint8Array): Promise<void> {
    this.#lastWrite = this.#lastWrite.then(() => this.#send(data));
    return this.#lastWrite;
  }

  async #send(data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length && !this.#isEnded && !this.#isStdinShut; ) {
      const packet = data.subarray(offset, offset + MAX_PACKET_BYTES);
      if (this.#socket?.send(packet)) offset += packet.length;
      else {
        await new Promise<void>((resolve) => {
          this.#wakeWriter = resolve;
        });
      }
    }
  }

  #closeStdin(): void {
    if (!this.#endsStdin) return;
    this.#lastWrite = this.#lastWrite.then(() => {
      if (!this.#isEnded && !this.#isStdinShut) this.#socket?.shutdown();
      this.#isStdinShut = true;
    });
  }

  #detach(queue: OutputQueue, stdin: boolean): void {
    queue.abandon();
    if (!this.#queues.delete(queue)) return;
    if (stdin) this.#closeStdin();
    this.#flow();
    // Closing would end the stdin of a process that somebody may still write to: then read on for nobody.
    if (this.#queues.size > 0 || (this.#endsStdin && !stdin && !this.#isStdinShut)) return;
    void this.#lastWrite.then(() => {
      if (this.#queues.size === 0) this.#close();
    });
  }

  #close(): void {
    if (!this.#isEnded) this.#socket?.close();
    this.#end();
  }

  #end(): void {
    this.#isEnded = true;
    for (const queue of this.#queues) queue.end();
    this.#wakeWriter();
  }
}
