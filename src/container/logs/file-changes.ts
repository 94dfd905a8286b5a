import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** What a timer of the runtime can wait at most. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Tells when a file may have changed, by watching the folder it lies in: the file need not exist yet. */
export class FileChanges implements Disposable {
  readonly #watcher: FSWatcher;
  #hasChanged = false;
  #resolve: () => void = () => undefined;

  constructor(path: string) {
    const name = basename(path);
    this.#watcher = watch(dirname(path), (_event, changed) => {
      if (changed === null || changed === name) this.wake();
    });
    // The folder is gone: whoever waits finds that out by reading.
    this.#watcher.on("error", () => this.wake());
  }

  /** Ends the wait of whoever waits, or else the next one. */
  wake(): void {
    this.#hasChanged = true;
    this.#resolve();
  }

  /** Resolves after the next change or call of `wake`, or after `timeoutMs`. Rejects when `signal` fires. */
  async next(timeoutMs: number | undefined, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = (): void => reject(signal.reason);
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(resolve, Math.min(timeoutMs, LONGEST_TIMER_MS));
    this.#resolve = resolve;
    signal.addEventListener("abort", abort, { once: true });
    try {
      if (this.#hasChanged) resolve();
      await promise;
    } finally {
      this.#hasChanged = false;
      signal.removeEventListener("abort", abort);
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
  }
}
