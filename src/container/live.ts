import type { ContainerId } from "#base/ids.ts";
import type { Attachment } from "./neighbours.ts";

/** How a wait ended. */
export interface WaitOutcome {
  readonly exitCode: number;
  readonly message?: string;
}

type Resolve<T> = (value: T) => void;

/** Those who wait for something that happens again and again; one who leaves is forgotten. */
class Waiters<T> {
  readonly #resolvers = new Set<Resolve<T>>();

  wait(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const abort = (): void => {
      this.#resolvers.delete(answer);
      reject(signal.reason);
    };
    const answer = (value: T): void => {
      signal.removeEventListener("abort", abort);
      resolve(value);
    };
    this.#resolvers.add(answer);
    signal.addEventListener("abort", abort, { once: true });
    return promise;
  }

  answer(value: T): void {
    const resolvers = [...this.#resolvers];
    this.#resolvers.clear();
    for (const resolve of resolvers) resolve(value);
  }
}

/** What the engine holds in memory about one container, beside its record. */
export class Live {
  readonly #exits = new Waiters<WaitOutcome>();
  readonly #removals = new Waiters<WaitOutcome>();
  readonly #attaching = new Map<(attachment: Attachment | undefined) => void, { readonly stdin: boolean }>();
  #restartTimer: NodeJS.Timeout | undefined;
  /** Of the last automatic restart. */
  restartDelayMs: number | undefined;
  isBeingRemoved = false;

  /** The next exit after which no policy restarts the container. */
  nextExit(signal: AbortSignal): Promise<WaitOutcome> {
    return this.#exits.wait(signal);
  }

  removed(signal: AbortSignal): Promise<WaitOutcome> {
    return this.#removals.wait(signal);
  }

  hasExited(outcome: WaitOutcome): void {
    this.#exits.answer(outcome);
  }

  /** Wakes all who wait, for whatever. */
  wasRemoved(outcome: WaitOutcome): void {
    this.#exits.answer(outcome);
    this.#removals.answer(outcome);
    this.abandonAttaching();
  }

  /** A connection to the process that starts next, opened before it runs; `undefined` when none starts. */
  nextStart(options: { readonly stdin: boolean }, signal: AbortSignal): Promise<Attachment | undefined> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<Attachment | undefined>();
    const abort = (): void => {
      this.#attaching.delete(answer);
      resolve(undefined);
    };
    const answer = (attachment: Attachment | undefined): void => {
      signal.removeEventListener("abort", abort);
      resolve(attachment);
    };
    this.#attaching.set(answer, options);
    signal.addEventListener("abort", abort, { once: true });
    return promise;
  }

  /** Gives each who waits for the start a connection of its own. */
  async connectAttaching(connect: (stdin: boolean) => Promise<Attachment>): Promise<void> {
    for (const [answer, { stdin }] of this.#attaching) {
      const attachment = await connect(stdin);
      if (this.#attaching.delete(answer)) answer(attachment);
      else await attachment[Symbol.asyncDispose]();
    }
  }

  /** The start came to nothing: who waits for it is told so. */
  abandonAttaching(): void {
    for (const answer of this.#attaching.keys()) answer(undefined);
    this.#attaching.clear();
  }

  scheduleRestart(delayMs: number, start: () => void): void {
    this.restartDelayMs = delayMs;
    this.#restartTimer = setTimeout(start, delayMs);
  }

  cancelRestart(): void {
    clearTimeout(this.#restartTimer);
    this.#restartTimer = undefined;
  }
}

/** The live part of every container; made when first asked for. */
export class Lives {
  readonly #lives = new Map<ContainerId, Live>();

  get(id: ContainerId): Live {
    let live = this.#lives.get(id);
    if (live === undefined) this.#lives.set(id, (live = new Live()));
    return live;
  }

  /** After the container's removal. */
  forget(id: ContainerId): void {
    this.#lives.delete(id);
  }

  /** No timer fires after this. */
  close(): void {
    for (const live of this.#lives.values()) live.cancelRestart();
  }
}
