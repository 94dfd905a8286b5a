/** Mutual exclusion by key, first come first served: one writer per container, network, reference. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Waits for the key's turn; dispose the result to pass it on. */
  async acquire(key: string): Promise<Disposable> {
    const previous = this.#tails.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tails.set(key, promise);
    await previous;
    return {
      [Symbol.dispose]: () => {
        if (this.#tails.get(key) === promise) this.#tails.delete(key);
        resolve();
      },
    };
  }

  /** Whether somebody has the key or waits for it. */
  isHeld(key: string): boolean {
    return this.#tails.has(key);
  }

  /** Runs `work` while holding `key`. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    using _held = await this.acquire(key);
    return await work();
  }
}
