import { setTimeout as sleep } from "node:timers/promises";
import { EngineError, isErrno } from "#base/errors.ts";
import { openPacketSocket, type PacketSocket } from "#linux/packet-socket.ts";

/** What of `linux/` an attachment needs. */
export interface Connector {
  /** A connected, non-blocking `SOCK_SEQPACKET` socket. */
  connectSeqpacket(path: string): number;
}

export interface OutputChunk {
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** A view of a process's streams. Dispose it to detach; the process goes on. */
export interface Attachment extends AsyncDisposable {
  /** From the moment of attaching to the end, complete; a slow reader slows the process down. Read it once. */
  readonly output: AsyncIterable<OutputChunk>;
  /** Resolves when the bytes are on their way; bytes for a process that has ended are dropped. */
  write(data: Uint8Array): Promise<void>;
  /** The process reads the end of its stdin, where its stdin is to end with the client's. */
  closeStdin(): void;
}

/** conmon's `STDIO_BUF_SIZE` and its mark for stderr; everything else is stdout. */
const STDERR = 3;

/** conmon reads at most 32 KiB − 1 of a packet and drops the rest. */
const MAX_PACKET_BYTES = 16 * 1024;

/** Output that waits for a slow reader before conmon is made to wait. */
const MAX_WAITING_BYTES = 256 * 1024;

/** How often a connection is tried while conmon's queue is full, and how long the pause is. */
const CONNECT_TRIES = 200;
const CONNECT_PAUSE_MS = 10;

/**
 * Attaches to the conmon that listens at `path`. `keepsReading`: when it is disposed, go on reading and drop what comes,
 * because conmon would close the process's stdin with the connection.
 * @throws {EngineError} conflict when nobody listens there
 */
export async function attachTo(
  connector: Connector,
  path: string,
  { keepsReading }: { keepsReading: boolean },
): Promise<Attachment> {
  const attachment = new ConmonAttachment(keepsReading);
  await attachment.open(await connect(connector, path));
  return attachment;
}

async function connect(connector: Connector, path: string): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return connector.connectSeqpacket(path);
    } catch (error) {
      if (isErrno(error, "EAGAIN") && tries < CONNECT_TRIES) await sleep(CONNECT_PAUSE_MS);
      else if (isErrno(error, "ENOENT", "ECONNREFUSED")) {
        throw new EngineError("conflict", `Cannot attach at ${path}: the process has ended`, {
          cause: error,
        });
      } else throw error;
    }
  }
}

class ConmonAttachment implements Attachment {
  readonly #keepsReading: boolean;
  readonly #waiting: OutputChunk[] = [];
  #waitingBytes = 0;
  #socket: PacketSocket | undefined;
  #isPaused = false;
  #isEnded = false;
  #isDetached = false;
  #wakeReader: () => void = () => undefined;
  #wakeWriter: () => void = () => undefined;
  /** The end of the last write: writes are sent in order, one at a time. */
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(keepsReading: boolean) {
    this.#keepsReading = keepsReading;
  }

  async open(fd: number): Promise<void> {
    this.#socket = await openPacketSocket(fd, {
      received: (packet) => this.#receive(packet),
      drained: () => this.#wakeWriter(),
      closed: () => this.#end(),
    });
  }

  get output(): AsyncIterable<OutputChunk> {
    return this.#read();
  }

  write(data: Uint8Array): Promise<void> {
    this.#lastWrite = this.#lastWrite.then(() => this.#send(data));
    return this.#lastWrite;
  }

  closeStdin(): void {
    void this.#lastWrite.then(() => {
      if (!this.#isEnded) this.#socket?.shutdown();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDetached) return;
    this.#isDetached = true;
    await Promise.race([this.#lastWrite, sleep(0)]);
    this.#waiting.length = 0;
    if (this.#keepsReading && !this.#isEnded) this.#socket?.resume();
    else this.#socket?.close();
    this.#wakeReader();
    this.#wakeWriter();
  }

  #receive(packet: Uint8Array): void {
    if (this.#isDetached || packet.length < 2) return;
    this.#waiting.push({
      stream: packet[0] === STDERR ? "stderr" : "stdout",
      data: packet.subarray(1),
    });
    this.#waitingBytes += packet.length - 1;
    if (this.#waitingBytes > MAX_WAITING_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#socket?.pause();
    }
    this.#wakeReader();
  }

  async *#read(): AsyncGenerator<OutputChunk, void> {
    while (!this.#isDetached) {
      const chunk = this.#waiting.shift();
      if (chunk) {
        this.#waitingBytes -= chunk.data.length;
        this.#resumeWhenLow();
        yield chunk;
      } else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }

  #resumeWhenLow(): void {
    if (!this.#isPaused || this.#waitingBytes > MAX_WAITING_BYTES / 2) return;
    this.#isPaused = false;
    this.#socket?.resume();
  }

  async #send(data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length && !this.#isEnded && !this.#isDetached; ) {
      const packet = data.subarray(offset, offset + MAX_PACKET_BYTES);
      if (this.#socket?.send(packet)) offset += packet.length;
      else await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
    }
  }

  #end(): void {
    this.#isEnded = true;
    this.#wakeReader();
    this.#wakeWriter();
  }
}
