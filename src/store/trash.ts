import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as setTimeoutAsync } from "node:timers/promises";
import { isErrno } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import { PRIVATE_MODE } from "./layout.ts";

/** Deleting slows the file system down for a while, so it waits until the engine has been left alone for this long. */
const DEFAULT_DELAY_MS = 2000;

const DISPOSE_MS = 3000;

/**
 * Where removed directories go: a rename at once, the deletion later and in the background, one after another. What a
 * dead engine left is deleted too.
 */
export class Trash implements AsyncDisposable {
  readonly #path: string;
  readonly #log: Logger;
  readonly #delayMs: number;
  #timer: NodeJS.Timeout | undefined;
  #deleting: Promise<void> = Promise.resolve();
  #next = 0;
  #isClosed = false;

  constructor(path: string, log: Logger, delayMs = DEFAULT_DELAY_MS) {
    this.#path = path;
    this.#log = log;
    this.#delayMs = delayMs;
    mkdirSync(path, { recursive: true, mode: PRIVATE_MODE });
    if (readdirSync(path).length > 0) this.#schedule();
  }

  /** Takes `path`, on the same file system, out of sight; success when it is not there. */
  discard(path: string): void {
    try {
      renameSync(path, join(this.#path, `${process.pid}-${Date.now()}-${this.#next++}`));
      this.#schedule();
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }

  /** Deletes what is there now. */
  empty(): Promise<void> {
    this.#deleting = this.#deleting.then(() => this.#deleteAll());
    return this.#deleting;
  }

  /** Deletes what is there, for some seconds at most: the rest is left for the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    const deadline = new AbortController();
    await Promise.race([this.empty(), setTimeoutAsync(DISPOSE_MS, undefined, { signal: deadline.signal })]);
    deadline.abort();
    this.#isClosed = true;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.empty(), this.#delayMs);
    this.#timer.unref();
  }

  /** Never rejects: what cannot be deleted is said and left for the next time. */
  async #deleteAll(): Promise<void> {
    for (const name of readdirSync(this.#path)) {
      if (this.#isClosed) return;
      try {
        await rm(join(this.#path, name), { recursive: true, force: true });
      } catch (error) {
        this.#log.warn("cannot delete a removed directory", { path: join(this.#path, name), error });
      }
    }
  }
}
