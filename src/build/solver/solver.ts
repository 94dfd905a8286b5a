import { availableParallelism } from "node:os";
import type { Clock } from "#base/clock.ts";
import { Semaphore } from "#base/semaphore.ts";
import { SharedWork } from "#image/shared-work.ts";
import { type Digest, digestOf } from "#oci/digest.ts";
import { chainIdOf, type FileSystem } from "../graph/file-system.ts";
import { canonical, type Vertex } from "../graph/vertex.ts";
import type { BuildCache, CacheRecord } from "./build-cache.ts";
import type { OnSolveEvent, SolveEvent } from "./events.ts";
import type { Executor, ReadyVertex } from "./executor.ts";

/** A vertex's files, and when they were made; `undefined` for a base, which brings its own times. */
export interface Solved {
  readonly fileSystem: FileSystem;
  /** Epoch milliseconds. */
  readonly createdAt?: number;
}

export interface SolveOptions {
  /** Nothing is looked up; what is made is recorded all the same. */
  readonly ignoresCache: boolean;
  readonly onEvent: OnSolveEvent;
  /** Names this build: work that ignores the cache is not shared with others. */
  readonly id: string;
}

export interface SolverOptions {
  readonly cache: BuildCache;
  readonly executor: Executor;
  readonly now: Clock;
  /** Steps that run at once, of all builds together. */
  readonly parallelism?: number;
}

/** Late listeners are given what a shared step has said so far, up to this many bytes. */
const REPLAY_BYTES = 256 * 1024;

/**
 * Brings a graph to its results. A vertex is looked up first by its digest, which needs none of its inputs; then, when
 * those are there, by their content; only then it is executed. Whatever is ready runs in parallel, and a vertex that two
 * builds want at once is executed once, until nobody wants it any more.
 */
export class Solver {
  readonly #options: SolverOptions;
  readonly #places: Semaphore;
  readonly #shared = new SharedWork<Solved>();
  readonly #broadcasts = new Map<string, Broadcast>();

  constructor(options: SolverOptions) {
    this.#options = options;
    this.#places = new Semaphore(options.parallelism ?? Math.max(2, availableParallelism()));
  }

  /**
   * @returns the results of `vertex` and of every vertex below it, by digest
   * @throws what the step that failed first threw; the others are stopped and have ended by then
   */
  async solve(
    vertex: Vertex,
    options: SolveOptions,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<Digest, Solved>> {
    const build = new Solve(this, this.#options, options);
    await build.vertex(vertex, signal);
    return build.results;
  }

  /** Executes `ready`, or joins the build that does already. */
  async execute(
    ready: ReadyVertex & { readonly contentKey: Digest },
    options: SolveOptions,
    signal: AbortSignal,
  ): Promise<Solved> {
    signal.throwIfAborted();
    const { vertex } = ready;
    const key = options.ignoresCache ? `${vertex.digest} ${options.id}` : vertex.digest;
    const broadcast = this.#broadcasts.get(key) ?? new Broadcast();
    this.#broadcasts.set(key, broadcast);
    using _listening = broadcast.listen(options.onEvent);
    return await this.#shared.run(
      key,
      async (stop) => {
        this.#broadcasts.set(key, broadcast);
        try {
          const made = options.ignoresCache ? undefined : await this.#madeMeanwhile(vertex, broadcast);
          return made ?? (await this.#run(ready, broadcast, stop));
        } finally {
          this.#broadcasts.delete(key);
        }
      },
      signal,
    );
  }

  /** Another build may have ended the same work between our look into the cache and now. */
  async #madeMeanwhile(vertex: Vertex, broadcast: Broadcast): Promise<Solved | undefined> {
    const { cache, executor } = this.#options;
    const record = cache.find(vertex.digest);
    if (record === undefined || !(await executor.isPresent(record.fileSystem))) return undefined;
    await broadcast.send({ kind: "hit", vertex, reason: "another build made it meanwhile" });
    return { fileSystem: record.fileSystem, createdAt: record.createdAt };
  }

  async #run(
    ready: ReadyVertex & { readonly contentKey: Digest },
    broadcast: Broadcast,
    signal: AbortSignal,
  ): Promise<Solved> {
    const { cache, executor, now } = this.#options;
    const { vertex, inputs, contentKey } = ready;
    using _place = await this.#places.acquire();
    signal.throwIfAborted();
    const startedAt = performance.now();
    await broadcast.send({ kind: "started", vertex });
    try {
      const { layer, sizeBytes } = await executor.execute(
        ready,
        (output) => broadcast.send({ kind: "output", vertex, ...output }),
        signal,
      );
      const fileSystem = { layers: [...(inputs[0]?.layers ?? []), layer] };
      const createdAt = now();
      cache.put({ digest: vertex.digest, fileSystem, title: vertex.title, sizeBytes, createdAt }, contentKey);
      cache.remember(vertex);
      await broadcast.send({ kind: "finished", vertex, durationMs: performance.now() - startedAt });
      return { fileSystem, createdAt };
    } catch (error) {
      await broadcast.send({ kind: "failed", vertex, error });
      throw error;
    }
  }
}

/** One build's walk through its graph. */
class Solve {
  readonly results = new Map<Digest, Solved>();
  readonly #solver: Solver;
  readonly #parts: SolverOptions;
  readonly #options: SolveOptions;
  readonly #running = new Map<Digest, Promise<Solved>>();

  constructor(solver: Solver, parts: SolverOptions, options: SolveOptions) {
    this.#solver = solver;
    this.#parts = parts;
    this.#options = options;
  }

  async vertex(vertex: Vertex, signal: AbortSignal): Promise<Solved> {
    signal.throwIfAborted();
    let running = this.#running.get(vertex.digest);
    if (running === undefined) {
      running = this.#solve(vertex, signal);
      this.#running.set(vertex.digest, running);
    }
    const solved = await running;
    this.results.set(vertex.digest, solved);
    return solved;
  }

  async #solve(vertex: Vertex, signal: AbortSignal): Promise<Solved> {
    if (vertex.operation.kind === "base") return { fileSystem: vertex.operation.fileSystem };
    const known = await this.#lookUp(this.#parts.cache.find(vertex.digest));
    if (known !== undefined) {
      await this.#hit(vertex, "the same step was built before");
      await this.#implied(vertex, known);
      return known;
    }
    const inputs = await this.#inputs(vertex, signal);
    const ready = { vertex, inputs: inputs.map(({ fileSystem }) => fileSystem) };
    const contentKey = await this.#contentKey(ready, signal);
    const same = await this.#sameContent(ready, contentKey);
    if (same !== undefined) return same;
    const reason = this.#options.ignoresCache
      ? "the cache is not to be used"
      : this.#parts.cache.explainMiss(vertex);
    await this.#options.onEvent({ kind: "miss", vertex, reason });
    return await this.#solver.execute({ ...ready, contentKey }, this.#options, signal);
  }

  /** All inputs side by side. When one fails the others are stopped, and have ended when this throws. */
  async #inputs(vertex: Vertex, signal: AbortSignal): Promise<Solved[]> {
    const siblings = new AbortController();
    const both = AbortSignal.any([signal, siblings.signal]);
    let failure: { readonly error: unknown } | undefined;
    const settled = await Promise.all(
      vertex.inputs.map(async (input) => {
        try {
          return await this.vertex(input, both);
        } catch (error) {
          failure ??= { error };
          siblings.abort(error);
          return undefined;
        }
      }),
    );
    if (failure !== undefined) throw failure.error;
    return settled.filter((solved) => solved !== undefined);
  }

  async #lookUp(record: CacheRecord | undefined): Promise<Solved | undefined> {
    if (record === undefined || this.#options.ignoresCache) return undefined;
    if (!(await this.#parts.executor.isPresent(record.fileSystem))) return undefined;
    this.#parts.cache.touch(record);
    return { fileSystem: record.fileSystem, createdAt: record.createdAt };
  }

  /** The definition over what the inputs are, not over how they came to be. */
  async #contentKey(ready: ReadyVertex, signal: AbortSignal): Promise<Digest> {
    const [base] = ready.inputs;
    const others = ready.inputs.length > 1 ? await this.#parts.executor.inputContent(ready, signal) : [];
    const chain = base === undefined ? "" : (chainIdOf(base) ?? "empty");
    return digestOf(canonical([ready.vertex.definition, chain, ...others]));
  }

  /** A step that did the same to the same content, though its inputs came about in another way. */
  async #sameContent(ready: ReadyVertex, contentKey: Digest): Promise<Solved | undefined> {
    const { vertex, inputs } = ready;
    const record = this.#options.ignoresCache ? undefined : this.#parts.cache.findByContent(contentKey);
    const layer = record?.fileSystem.layers.at(-1);
    if (record === undefined || layer === undefined) return undefined;
    const fileSystem = { layers: [...(inputs[0]?.layers ?? []), layer] };
    const solved = await this.#lookUp({ ...record, digest: vertex.digest, fileSystem });
    if (solved === undefined) return undefined;
    const { sizeBytes, createdAt } = record;
    this.#parts.cache.put(
      { digest: vertex.digest, fileSystem, title: vertex.title, sizeBytes, createdAt },
      contentKey,
    );
    await this.#hit(vertex, "what it reads has the same content as before");
    return solved;
  }

  async #hit(vertex: Vertex, reason: string): Promise<void> {
    this.#parts.cache.remember(vertex);
    await this.#options.onEvent({ kind: "hit", vertex, reason });
  }

  /** The vertices below a hit: their work is in the result, and their layers are its lower ones. */
  async #implied(vertex: Vertex, solved: Solved): Promise<void> {
    for (const [index, input] of vertex.inputs.entries()) {
      if (this.results.has(input.digest) || this.#running.has(input.digest)) continue;
      const record = input.operation.kind === "base" ? undefined : this.#parts.cache.find(input.digest);
      const below: Solved = {
        fileSystem:
          index === 0
            ? { layers: solved.fileSystem.layers.slice(0, -1) }
            : (record?.fileSystem ?? { layers: [] }),
        ...(input.operation.kind !== "base" && { createdAt: record?.createdAt ?? solved.createdAt ?? 0 }),
      };
      this.results.set(input.digest, below);
      if (input.operation.kind !== "base") {
        await this.#options.onEvent({
          kind: "hit",
          vertex: input,
          reason: "a step above it was built before",
        });
      }
      await this.#implied(input, below);
    }
  }
}

/** Sends one step's events to everyone who waits for it, and to those who come later. */
class Broadcast {
  readonly #listeners = new Set<{ readonly listener: OnSolveEvent; readonly caughtUp: Promise<void> }>();
  readonly #past: SolveEvent[] = [];
  #pastBytes = 0;

  listen(listener: OnSolveEvent): Disposable {
    const joined = { listener, caughtUp: this.#replay(listener) };
    this.#listeners.add(joined);
    return { [Symbol.dispose]: () => void this.#listeners.delete(joined) };
  }

  /** Resolves when all listeners have taken the event. */
  async send(event: SolveEvent): Promise<void> {
    this.#pastBytes += event.kind === "output" ? event.data.byteLength : 0;
    if (event.kind !== "output") this.#past.push(event);
    else if (this.#pastBytes <= REPLAY_BYTES) this.#past.push({ ...event, data: event.data.slice() });
    await Promise.all(
      [...this.#listeners].map(async ({ listener, caughtUp }) => {
        await caughtUp;
        await listener(event);
      }),
    );
  }

  async #replay(listener: OnSolveEvent): Promise<void> {
    const past = this.#past.slice();
    for (const event of past) await listener(event);
  }
}
