import type { Digest } from "#oci/digest.ts";
import { type DiffId, digestOf, parseDiffId } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { hostPlatform } from "#oci/platform.ts";
import { EngineError } from "#base/errors.ts";
import { parseDockerfile } from "../dockerfile/parse.ts";
import { BuildArgs } from "../graph/build-args.ts";
import { type BuildGraph, buildGraph } from "../graph/build-graph.ts";
import { chainIdOf, type FileSystem, type Layer } from "../graph/file-system.ts";
import type { BaseImage, GraphOptions, GraphSources } from "../graph/sources.ts";
import { canonical } from "../graph/vertex.ts";
import { BuildCache, type CacheDocuments } from "../solver/build-cache.ts";
import type { Executor, ReadyVertex, StepOutput, StepResult } from "../solver/executor.ts";

/** A layer that holds `text`. */
export function layerOf(text: string): Layer {
  const digest = digestOf(text);
  return {
    descriptor: { mediaType: MEDIA_TYPE.ociLayer, digest, size: text.length },
    diffId: parseDiffId(digest),
  };
}

/** Records in memory. */
export function memoryDocuments(): CacheDocuments & { readonly size: number } {
  const values = new Map<string, string>();
  return {
    get size() {
      return values.size;
    },
    all: () => [...values].map(([id, value]) => ({ id, value: JSON.parse(value) as unknown })),
    find: (id) => {
      const value = values.get(id);
      return value === undefined ? undefined : (JSON.parse(value) as unknown);
    },
    put: (id, value) => void values.set(id, JSON.stringify(value)),
    remove: (id) => void values.delete(id),
  };
}

/**
 * Executes steps in memory: a layer is the text of its command or of the files it copies. What a command writes is its
 * arguments, so that equal commands give equal layers whatever they stand on.
 */
export class MemoryExecutor implements Executor {
  readonly executed: string[] = [];
  /** Most steps at one time. */
  peak = 0;
  /** Held back until it resolves, by title. */
  readonly gates = new Map<string, Promise<void>>();
  readonly failures = new Map<string, Error>();
  readonly lost = new Set<DiffId>();
  #running = 0;

  inputContent({ inputs }: ReadyVertex): Promise<readonly Digest[]> {
    return Promise.resolve(
      inputs.slice(1).map((fileSystem) => digestOf(fileSystem.layers.at(-1)?.diffId ?? "empty")),
    );
  }

  async execute(
    { vertex }: ReadyVertex,
    onOutput: (output: StepOutput) => void,
    signal: AbortSignal,
  ): Promise<StepResult> {
    this.#running++;
    this.peak = Math.max(this.peak, this.#running);
    try {
      this.executed.push(vertex.title);
      onOutput({ stream: "stdout", data: new TextEncoder().encode(`${vertex.title}\n`) });
      const gate = this.gates.get(vertex.title) ?? Promise.resolve();
      const { promise, reject } = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => reject(signal.reason));
      await Promise.race([gate, promise]);
      const failure = this.failures.get(vertex.title);
      if (failure !== undefined) throw failure;
      const { operation } = vertex;
      const made =
        operation.kind === "run" ? operation.args.join(" ").replace(/#.*/, "") : canonical(operation);
      return { layer: layerOf(made), sizeBytes: made.length };
    } finally {
      this.#running--;
    }
  }

  isPresent({ layers }: FileSystem): Promise<boolean> {
    return Promise.resolve(!layers.some(({ diffId }) => this.lost.has(diffId)));
  }
}

/** Images by name, and a context of files by path. */
export function memorySources(
  images: ReadonlyMap<string, Partial<BaseImage>> = new Map([["base", {}]]),
  files: ReadonlyMap<string, string> = new Map(),
): GraphSources & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    image: (reference) => {
      asked.push(reference);
      const found = images.get(reference);
      if (found === undefined)
        return Promise.reject(new EngineError("not-found", `No such image: ${reference}`));
      const config = { platform: hostPlatform(), config: {}, diffIds: [], history: [] };
      return Promise.resolve({ fileSystem: { layers: [layerOf(reference)] }, config, ...found });
    },
    contextDigest: ({ path }) => {
      const selected = [...files].filter(
        ([name]) => path === "." || name === path || name.startsWith(`${path}/`),
      );
      if (selected.length === 0)
        throw new EngineError("not-found", `"${path}": not found in the build context`);
      return { digest: digestOf(canonical(selected)), isEmpty: false };
    },
  };
}

export interface TextGraphOptions extends Partial<Omit<GraphOptions, "buildArgs">> {
  readonly args?: Record<string, string>;
  readonly sources?: GraphSources;
}

/** The graph of a Dockerfile's text. */
export async function graphOf(text: string, options: TextGraphOptions = {}): Promise<BuildGraph> {
  const { args = {}, sources = memorySources(), ...rest } = options;
  return await buildGraph(
    parseDockerfile(text),
    {
      buildArgs: new BuildArgs(new Map(Object.entries(args))),
      labels: new Map(),
      platform: hostPlatform(),
      buildPlatform: hostPlatform(),
      network: { kind: "bridge" },
      extraHosts: [],
      resources: {},
      rlimits: [],
      project: "test",
      ...rest,
    },
    sources,
  );
}

export function memoryCache(documents: CacheDocuments = memoryDocuments()): BuildCache {
  let now = 1_000_000;
  return new BuildCache(documents, () => (now += 1000));
}

export function chainOf(fileSystem: FileSystem): string {
  return chainIdOf(fileSystem) ?? "empty";
}
