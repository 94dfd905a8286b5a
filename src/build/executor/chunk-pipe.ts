/**
 * Joins who pushes with who pulls: one chunk waits at most, and `write` resolves when it was taken. Ending with an error
 * throws it at the reader; a reader that leaves makes further writes throw.
 */
export class ChunkPipe {
  #waiting: Uint8Array | undefined;
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #hasLeft = false;
  #changed = Promise.withResolvers<void>();

  async write(chunk: Uint8Array): Promise<void> {
    while (this.#waiting !== undefined && !this.#hasLeft) await this.#changed.promise;
    if (this.#hasLeft) throw new Error("the reader of a pipe has left");
    this.#waiting = chunk;
    this.#notify();
    while (this.#waiting === chunk && !this.#hasLeft) await this.#changed.promise;
  }

  end(): void {
    this.#isEnded = true;
    this.#notify();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.#notify();
  }

  /** Chunks are good until the next is asked for. */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure.error;
        if (this.#waiting !== undefined) {
          yield this.#waiting;
          this.#waiting = undefined;
          this.#notify();
        } else if (this.#isEnded) return;
        else await this.#changed.promise;
      }
    } finally {
      this.#hasLeft = true;
      this.#notify();
    }
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
