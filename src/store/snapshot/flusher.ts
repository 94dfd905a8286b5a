import type { Logger } from "#base/log.ts";
import { run } from "#linux/process.ts";

export interface FlusherOptions {
  /** Makes everything durable that was written before the call. */
  readonly flush: () => Promise<void>;
  /** How long to wait for more to come: one flush serves all. */
  readonly delayMs: number;
  readonly log: Logger;
}

/** Makes things durable in the background, some time after they were made, and says which are. */
export class Flusher<T> implements AsyncDisposable {
  readonly #options: FlusherOptions;
  readonly #flushed: (things: readonly T[]) => void;
  #waiting: T[] = [];
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(options: FlusherOptions, flushed: (things: readonly T[]) => void) {
    this.#options = options;
    this.#flushed = flushed;
  }

  add(thing: T): void {
    this.#waiting.push(thing);
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.flush(), this.#options.delayMs);
    this.#timer.unref();
  }

  /** Flushes what has been added so far. Never rejects: what failed is tried again with the next. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#work = this.#work.then(() => this.#flushNow());
    return this.#work;
  }

  /** Waits for a flush under way and begins no other. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#waiting = [];
    await this.#work;
  }

  async #flushNow(): Promise<void> {
    const things = this.#waiting;
    this.#waiting = [];
    if (things.length === 0) return;
    try {
      await this.#options.flush();
      this.#flushed(things);
    } catch (error) {
      this.#waiting.unshift(...things);
      this.#options.log.warn("cannot flush snapshots to disk", { error });
    }
  }
}

/** Flushes the file system that holds `path`: `syncfs(2)`, by the program that has it. */
export async function flushFileSystem(path: string): Promise<void> {
  const { exitCode, stderr } = await run(["sync", "-f", path]);
  if (exitCode !== 0) throw new Error(`sync ended with ${exitCode}: ${stderr.trim()}`);
}
