/** A piece of a process's output. A terminal has stdout alone. */
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
  /** The process reads the end of its stdin, if its stdin ends with a client's (`stdinOnce`); otherwise nothing. */
  closeStdin(): void;
}

/** Output that waits for a slow reader before conmon, and by it the process, is made to wait. */
const MAX_WAITING_BYTES = 256 * 1024;

/** Chunks between one who has them and one who reads them, and what each needs to know of the other. */
export class OutputQueue {
  readonly #drained: () => void;
  #chunks: OutputChunk[] = [];
  #bytes = 0;
  #isEnded = false;
  #wake: () => void = () => undefined;

  /** `drained` is called when a queue that was full no longer is. */
  constructor(drained: () => void) {
    this.#drained = drained;
  }

  get isFull(): boolean {
    return this.#bytes > MAX_WAITING_BYTES;
  }

  push(chunk: OutputChunk): void {
    if (this.#isEnded) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.data.length;
    this.#wake();
  }

  /** No more is pushed; what waits can still be read. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Nothing more is read. */
  abandon(): void {
    this.#chunks = [];
    this.#bytes = 0;
    this.end();
  }

  async *read(): AsyncGenerator<OutputChunk, void> {
    for (;;) {
      const chunks = this.#take();
      for (const chunk of chunks) yield chunk;
      if (chunks.length > 0) continue;
      if (this.#isEnded) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(): OutputChunk[] {
    const chunks = this.#chunks;
    const wasFull = this.isFull;
    this.#chunks = [];
    this.#bytes = 0;
    if (wasFull) this.#drained();
    return chunks;
  }
}
