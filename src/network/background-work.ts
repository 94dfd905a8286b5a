import type { Logger } from "#base/log.ts";

/** Work that nobody waits for now, but everybody at the end. A failure is logged. */
export class BackgroundWork {
  readonly #log: Logger;
  readonly #running = new Set<Promise<void>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** `operation` completes the sentence "Cannot …". */
  add(operation: string, work: Promise<unknown>): void {
    const running = work
      .catch((error: unknown) => this.#log.warn(`Cannot ${operation}`, { error }))
      .then(() => void this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when all work added so far has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}
