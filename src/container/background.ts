import type { Logger } from "#base/log.ts";

/** Looks after work that nobody waits for: a failure is logged, and a stop waits for what is running. */
export class Background {
  readonly #log: Logger;
  readonly #running = new Set<Promise<void>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  run(what: string, work: () => Promise<void>): void {
    const promise = this.#logged(what, work).finally(() => this.#running.delete(promise));
    this.#running.add(promise);
  }

  /** As `run`, for work that may last as long as the engine: `idle` does not wait for it. */
  watch(what: string, work: () => Promise<void>): void {
    void this.#logged(what, work);
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #logged(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#log.error(`${what} failed`, { error });
    }
  }
}
