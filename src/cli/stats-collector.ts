import type { EngineClient } from "#api/client.ts";
import { shortId } from "#base/ids.ts";
import type { StatsEntry } from "./stats-row.ts";

interface Followed {
  entry: StatsEntry;
  failure?: unknown;
  readonly over: AbortController;
  /** The first sample is there, or will not come. */
  readonly first: Promise<void>;
}

/** How long a first sample is waited for. */
const PATIENCE_MS = 2000;

/** Follows the use of many containers at once: those that were named, or all there are, as they come and go. */
export class StatsCollector {
  readonly #client: EngineClient;
  readonly #signal: AbortSignal;
  readonly #followed = new Map<string, Followed>();

  constructor(client: EngineClient, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  /** Resolves when each has a first sample, or none after a while. */
  async follow(names: readonly string[]): Promise<void> {
    for (const name of names) this.#add(name, name);
    await this.#untilFirst();
  }

  /** All that run, with `all` the others too, as they come and go. */
  async followAll({ all, nowMs }: { readonly all: boolean; readonly nowMs: number }): Promise<void> {
    const filters = { type: ["container"], event: ["create", "start", "die", "destroy"] };
    // From a time before the list is read, so that none is missed in between.
    const events = this.#client.system.events({ since: String(Math.floor(nowMs / 1000)) }, filters);
    const containers = await this.#client.listContainers({ all });
    for (const { Id: id } of containers) this.#add(shortId(id), id);
    // When the engine goes away the streams of all containers end too.
    void this.#watchEvents(events, all).catch(() => undefined);
    await this.#untilFirst();
  }

  /** In the order in which they came. */
  entries(): StatsEntry[] {
    return [...this.#followed.values()].map(({ entry }) => entry);
  }

  failures(): unknown[] {
    return [...this.#followed.values()].flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  }

  /** Nothing is followed any more. */
  get isOver(): boolean {
    return this.#followed.size === 0;
  }

  /** Until it is time to draw again, or to stop. */
  async wait(ms: number): Promise<void> {
    await within(new Promise(() => undefined), ms, this.#signal);
  }

  async #untilFirst(): Promise<void> {
    const firsts = [...this.#followed.values()].map(({ first }) => first);
    await within(Promise.all(firsts), PATIENCE_MS, this.#signal);
  }

  async #watchEvents(events: ReturnType<EngineClient["system"]["events"]>, all: boolean): Promise<void> {
    for await (const { Action: action, Actor: actor } of events) {
      if (this.#signal.aborted) return;
      const container = shortId(actor.ID);
      if (action === "start" || (action === "create" && all)) this.#add(container, actor.ID);
      else if (action === "destroy" || (action === "die" && !all)) this.#remove(container);
    }
  }

  #add(container: string, id: string): void {
    if (this.#followed.has(container)) return;
    const { promise: first, resolve } = Promise.withResolvers<void>();
    const followed: Followed = { entry: { container }, over: new AbortController(), first };
    this.#followed.set(container, followed);
    void this.#read(followed, id, resolve).finally(resolve);
  }

  #remove(container: string): void {
    this.#followed.get(container)?.over.abort();
    this.#followed.delete(container);
  }

  async #read(followed: Followed, id: string, hasFirst: () => void): Promise<void> {
    const signal = AbortSignal.any([this.#signal, followed.over.signal]);
    try {
      for await (const stats of this.#client.watch.streamStats(id, signal)) {
        followed.entry = { ...followed.entry, stats };
        hasFirst();
      }
      this.#remove(followed.entry.container);
    } catch (error) {
      if (signal.aborted) return;
      followed.failure = error;
      followed.entry = { container: followed.entry.container };
    }
  }
}

async function within(promise: Promise<unknown>, ms: number, signal: AbortSignal): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = (): void => resolve();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) resolve();
  try {
    await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
