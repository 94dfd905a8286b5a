import type { Socket } from "node:net";
import { EngineError } from "#base/errors.ts";

/** Bytes held for a reader that is slower than the client, before the socket is paused. */
const HIGH_WATER_BYTES = 256 * 1024;

/**
 * A socket as something to pull from and write to with back-pressure. It goes on listening while nobody reads, so that
 * the end of the stream (the client went away) is noticed at once.
 */
export class ByteStream {
  readonly #socket: Socket;
  #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  #ended = false;
  #wakeReader: (() => void) | undefined;
  readonly #closed = Promise.withResolvers<void>();
  /** Called once, when the client has half-closed or closed. */
  onEnd: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#heldBytes += chunk.byteLength;
      if (this.#heldBytes > HIGH_WATER_BYTES) socket.pause();
      this.#wake();
    });
    socket.on("end", () => this.#end());
    socket.on("error", () => this.#end());
    socket.on("close", () => {
      this.#end();
      this.#closed.resolve();
    });
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** The next bytes, or `undefined` at the end. One reader at a time. */
  async read(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
    const chunk = this.#chunks.shift();
    this.#heldBytes -= chunk?.byteLength ?? 0;
    if (this.#heldBytes <= HIGH_WATER_BYTES && this.#socket.isPaused()) this.#socket.resume();
    return chunk;
  }

  /** Puts bytes back in front of what comes next. */
  unread(chunk: Uint8Array): void {
    if (chunk.byteLength === 0) return;
    this.#chunks.unshift(chunk);
    this.#heldBytes += chunk.byteLength;
  }

  /** Resolves when the kernel has taken enough. @throws {EngineError} cancelled when the client has gone */
  async write(data: Uint8Array | string): Promise<void> {
    if (this.#socket.destroyed)
      throw new EngineError("cancelled", "Cannot write to client: the connection is closed");
    if (this.#socket.write(data)) return;
    await Promise.race([
      new Promise<void>((resolve) => {
        this.#socket.once("drain", resolve);
      }),
      this.#closed.promise,
    ]);
    if (this.#socket.destroyed)
      throw new EngineError("cancelled", "Cannot write to client: the connection is closed");
  }

  /** Half-closes: nothing more will be written. */
  async end(): Promise<void> {
    if (this.#socket.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#socket.end(() => resolve());
      void this.#closed.promise.then(resolve);
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#wake();
    this.onEnd?.();
  }

  #wake(): void {
    const wake = this.#wakeReader;
    this.#wakeReader = undefined;
    wake?.();
  }
}
