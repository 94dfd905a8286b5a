import type { Progress, ProgressLine } from "./image.ts";

/** Lines of one piece of work for all who wait for it; who comes late is told where everything stands. */
export class ProgressHub {
  readonly #listeners = new Set<Progress>();
  /** The last line of each id, and every line without one. */
  readonly #latest = new Map<string, ProgressLine>();

  readonly tell: Progress = (line) => {
    const key = line.kind === "status" && line.id !== undefined ? line.id : `line ${this.#latest.size}`;
    this.#latest.set(key, line);
    for (const listener of this.#listeners) listener(line);
  };

  /** Dispose to hear no more. */
  join(listener: Progress): Disposable {
    for (const line of this.#latest.values()) listener(line);
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}
