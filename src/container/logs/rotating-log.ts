import { type FSWatcher, linkSync, rmSync, statSync, unlinkSync, watch } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { errorMessage, isErrno } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import { compressSegment } from "./log-compression.ts";
import type { LogLimits } from "./log-options.ts";
import { compressedPath, inodeAt, listSegments, segmentPath } from "./log-segments.ts";

export interface RotatingLogOptions {
  readonly path: string;
  readonly limits: LogLimits;
  /** Asks the one who writes to open a new file; false when nobody writes any more. */
  reopen(): boolean;
  readonly log: Logger;
}

/** Bounds of the time between two looks at a log that grows, and the time to the first one. */
const SHORTEST_MS = 1;
const LONGEST_MS = 250;
const FIRST_MS = 5;
/** Without growth for so long, the kernel is to tell when there is some. */
const QUIET_MS = 1000;

/** How long conmon may take to open a new file: it may wait for the disk. */
const REOPEN_DEADLINE_MS = 10_000;
/** How long an answer to an earlier engine's request is waited for before it is made again. */
const EARLIER_REQUEST_MS = 2000;

/**
 * The log of one running container, kept within its limits. A quiet log costs nothing but a watch of its file. One that
 * grows is looked at before it can have reached its limit at the rate it grows: every quarter of a second at the slowest,
 * every millisecond at the fastest.
 */
export class RotatingLog implements AsyncDisposable {
  readonly #options: RotatingLogOptions;
  readonly #closing = new AbortController();
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** What the last look found, and when. */
  #seen = { size: 0, at: 0 };
  #grewAt = 0;
  /** How fast it grows, in bytes a millisecond; what it was is forgotten by halves. */
  #rate = 0;
  #work: Promise<void> = Promise.resolve();
  #compression: Promise<void> = Promise.resolve();
  #isCompressing = false;

  constructor(options: RotatingLogOptions) {
    this.#options = options;
    this.#wake();
  }

  /** Stops looking; a compression that runs is given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#watcher?.close();
    clearTimeout(this.#timer);
    await this.#work;
    await this.#compression;
  }

  #wake(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    const now = performance.now();
    this.#seen = { size: this.#size(), at: now };
    this.#grewAt = now;
    this.#lookIn(FIRST_MS);
  }

  #lookIn(delayMs: number): void {
    if (this.#closing.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#work = this.#look().catch((error: unknown) =>
        this.#complain("keeping a log in bounds failed", error),
      );
    }, delayMs);
  }

  async #look(): Promise<void> {
    const { maxBytes } = this.#options.limits;
    let size = this.#size();
    const now = performance.now();
    const rate = Math.max(0, size - this.#seen.size) / Math.max(now - this.#seen.at, 0.1);
    // A pause between two bursts is not yet the end of them.
    this.#rate = Math.max(rate, this.#rate / 2);
    if (size !== this.#seen.size) this.#grewAt = now;
    try {
      if (size >= maxBytes) {
        await this.#rotate();
        size = this.#size();
      }
    } finally {
      this.#seen = { size, at: performance.now() };
      if (now - this.#grewAt > QUIET_MS) this.#rest(size);
      else this.#lookIn(nextLookMs(maxBytes - size, this.#rate));
    }
  }

  /** Waits for the kernel to tell of growth. */
  #rest(size: number): void {
    if (this.#closing.signal.aborted) return;
    try {
      this.#watcher = watch(this.#options.path, { persistent: false }, () => this.#wake());
      this.#watcher.on("error", () => this.#wake());
      // What was written before the watch stood is told by nobody.
      if (this.#size() !== size) this.#wake();
    } catch (error) {
      // No more watches to be had, or no file: then by the clock.
      if (!isErrno(error, "ENOENT", "ENOSPC", "EMFILE")) throw error;
      this.#lookIn(LONGEST_MS);
    }
  }

  async #rotate(): Promise<void> {
    const { path } = this.#options;
    const inode = inodeAt(path);
    if (inode === undefined) return;
    const newest = listSegments(path).at(-1);
    const isNumbered = newest !== undefined && inodeAt(newest.path) === inode;
    if (!isNumbered) linkSync(path, segmentPath(path, (newest?.number ?? 0) + 1));
    // A second request would throw away what was written after the first: it is made only when that one is lost.
    else if (await this.#hasReopened(inode, EARLIER_REQUEST_MS)) return this.#tidy();
    if (!this.#options.reopen()) return settleLog(path);
    if (!(await this.#hasReopened(inode, REOPEN_DEADLINE_MS))) {
      this.#complain("a log was not reopened in time", `${REOPEN_DEADLINE_MS} ms`);
      return;
    }
    this.#tidy();
  }

  async #hasReopened(inode: number, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (inodeAt(this.#options.path) === inode) {
      if (performance.now() > deadline || this.#closing.signal.aborted) return false;
      await sleep(1);
    }
    return true;
  }

  /** Removes what is over the limit, and has the rest compressed. */
  #tidy(): void {
    const { path, limits } = this.#options;
    const segments = listSegments(path);
    const over = segments.slice(0, Math.max(0, segments.length - (limits.maxFiles - 1)));
    for (const segment of over) {
      rmSync(segment.path, { force: true });
      if (!segment.isCompressed) rmSync(compressedPath(segment.path), { force: true });
    }
    if (!limits.compresses || this.#isCompressing) return;
    this.#isCompressing = true;
    this.#compression = this.#compressAll()
      .catch((error: unknown) => this.#complain("compressing a log failed", error))
      .finally(() => (this.#isCompressing = false));
  }

  /** What is complete, one segment at a time, until there is none. */
  async #compressAll(): Promise<void> {
    const { path } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const plain = listSegments(path).find(({ isCompressed }) => !isCompressed);
      if (plain === undefined || inodeAt(plain.path) === inodeAt(path)) return;
      await compressSegment(plain.path, signal);
    }
  }

  #size(): number {
    return statSync(this.#options.path, { throwIfNoEntry: false })?.size ?? 0;
  }

  #complain(message: string, reason: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#options.log.warn(message, { log: this.#options.path, reason: errorMessage(reason) });
  }
}

/**
 * Takes back the number of a file that is still the one to be written to: nobody took up the last request. Only while
 * nobody writes.
 */
export function settleLog(path: string): void {
  const newest = listSegments(path).at(-1);
  if (newest && inodeAt(newest.path) === inodeAt(path)) unlinkSync(newest.path);
}

/** Half of the time in which `bytesLeft` are filled at `rate` bytes a millisecond. */
export function nextLookMs(bytesLeft: number, rate: number): number {
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, bytesLeft / rate / 2));
}
