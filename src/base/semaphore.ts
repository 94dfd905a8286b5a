/** At most `limit` holders at once, first come first served. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Whether the next one need not wait. */
  get hasRoom(): boolean {
    return this.#free > 0;
  }

  /** Waits for a place; dispose the result to give it back. */
  async acquire(): Promise<Disposable> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return { [Symbol.dispose]: () => this.#release() };
  }

  /** Runs `work` while holding a place. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    using _held = await this.acquire();
    return await work();
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}
