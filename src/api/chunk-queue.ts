/**
 * Chunks pushed by a socket, taken by one reader; asks the socket to pause while more than `limit` bytes wait.
 */
export class ChunkQueue implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  readonly #flow: { pause(): void; resume(): void };
  readonly #limit: number;
  #waiting = 0;
  #isPaused = false;
  #end: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(flow: { pause(): void; resume(): void }, limit = 256 * 1024) {
    this.#flow = flow;
    this.#limit = limit;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
    if (!this.#isPaused && this.#waiting > this.#limit) {
      this.#isPaused = true;
      this.#flow.pause();
    }
    this.#wake?.();
  }

  /** No more chunks; what waits is still given out. */
  end(): void {
    this.#end ??= {};
    this.#wake?.();
  }

  /** No more chunks; the reader gets `error` after what waits. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  /** The next chunk; `undefined` at the end. @throws what `fail` was given */
  async take(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#end && "error" in this.#end) throw this.#end.error;
      if (this.#end) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const chunk = this.#chunks.shift();
    this.#waiting -= chunk?.length ?? 0;
    if (this.#isPaused && this.#waiting <= this.#limit / 2) {
      this.#isPaused = false;
      this.#flow.resume();
    }
    return chunk;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (let chunk = await this.take(); chunk; chunk = await this.take()) yield chunk;
  }
}
