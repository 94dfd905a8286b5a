import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Clock } from "#base/clock.ts";
import { decodeDescriptor } from "#oci/descriptor.ts";
import { type ChainId, chainIds, type Digest, parseDigest, parseDiffId } from "#oci/digest.ts";
import type { FileSystem, Layer } from "../graph/file-system.ts";
import type { Vertex } from "../graph/vertex.ts";

/*
 * Documents of the build cache, by id:
 *   step:<vertex digest>      what the vertex came to
 *   content:<content key>     { step }: which step record answers for it
 *   slot:<slot>               the vertex that stood there last, so that a miss can be explained
 */

/** Records by id; `store/metadata/` is the real one. */
export interface CacheDocuments {
  all(): readonly { readonly id: string; readonly value: unknown }[];
  find(id: string): unknown;
  put(id: string, value: unknown): void;
  remove(id: string): void;
}

/** What a step came to, when, and how large. Times are epoch milliseconds. */
export interface CacheRecord {
  readonly digest: Digest;
  /** All layers, the step's own last. */
  readonly fileSystem: FileSystem;
  readonly title: string;
  readonly sizeBytes: number;
  readonly createdAt: number;
  readonly lastUsedAt: number;
}

export interface PruneOptions {
  /** Only what was not used since, epoch milliseconds. */
  readonly unusedSince?: number;
}

/** Uses closer together than this are not written down each time. */
const USE_PRECISION_MS = 60 * 60 * 1000;

/**
 * Results of steps. Only this engine's own steps are ever recorded: a pulled image is the result of none of them
 * (CVE-2024-24557). Records that do not read are as good as absent.
 */
export class BuildCache {
  readonly #documents: CacheDocuments;
  readonly #now: Clock;

  constructor(documents: CacheDocuments, now: Clock) {
    this.#documents = documents;
    this.#now = now;
  }

  find(digest: Digest): CacheRecord | undefined {
    return this.#read(digest, this.#documents.find(`step:${digest}`));
  }

  findByContent(key: Digest): CacheRecord | undefined {
    const value = this.#documents.find(`content:${key}`);
    if (value === undefined) return undefined;
    const step = new Fields(value).string("step");
    return step === undefined ? undefined : this.find(parseDigest(step));
  }

  /** Writes a record, under its content key as well. */
  put(record: Omit<CacheRecord, "lastUsedAt">, contentKey: Digest): void {
    this.#write({ ...record, lastUsedAt: this.#now() });
    this.#documents.put(`content:${contentKey}`, { step: record.digest });
  }

  /** Notes that a record was of use. */
  touch(record: CacheRecord): void {
    const now = this.#now();
    if (now - record.lastUsedAt > USE_PRECISION_MS) this.#write({ ...record, lastUsedAt: now });
  }

  remember(vertex: Vertex): void {
    this.#documents.put(`slot:${vertex.slot}`, {
      digest: vertex.digest,
      parts: Object.fromEntries(vertex.parts),
      inputs: vertex.inputs.map(({ digest }) => digest),
    });
  }

  /** Why there is no record for `vertex`: what is different from the vertex that stood in its place before. */
  explainMiss(vertex: Vertex): string {
    const value = this.#documents.find(`slot:${vertex.slot}`);
    if (value === undefined) return "this step was not built before";
    const fields = new Fields(value);
    if (fields.string("digest") === vertex.digest) return "its result is no longer in the cache";
    const parts = fields.stringMap("parts") ?? new Map<string, string>();
    const inputs = fields.strings("inputs") ?? [];
    const changed = changedParts(parts, vertex);
    if (changed.length > 0) return `${changed.join(", ")} changed`;
    const [base, ...others] = vertex.inputs.map(({ digest }, index) => digest !== inputs[index]);
    if (base) return "a step before it changed";
    return others.includes(true)
      ? "what it reads from another stage changed"
      : "another step stood here before";
  }

  all(): CacheRecord[] {
    return this.#documents
      .all()
      .filter(({ id }) => id.startsWith("step:"))
      .flatMap(({ id, value }) => this.#read(parseDigest(id.slice("step:".length)), value) ?? []);
  }

  /** Removes records; what they held is collected when nothing else holds it. Returns those removed. */
  prune({ unusedSince }: PruneOptions): CacheRecord[] {
    const removed = this.all().filter(
      ({ lastUsedAt }) => unusedSince === undefined || lastUsedAt < unusedSince,
    );
    const gone = new Set<string>(removed.map(({ digest }) => digest));
    for (const { id, value } of this.#documents.all()) {
      const step = id.startsWith("step:") ? id.slice("step:".length) : stepOf(id, value);
      const isSlot = id.startsWith("slot:") && unusedSince === undefined;
      if (isSlot || (step !== undefined && gone.has(step))) this.#documents.remove(id);
    }
    return removed;
  }

  /** What garbage collection must leave for the records to stay good. */
  roots(): { readonly digests: readonly Digest[]; readonly chainIds: readonly ChainId[] } {
    const layers = this.all().map(({ fileSystem }) => fileSystem.layers);
    return {
      digests: [...new Set(layers.flat().map(({ descriptor }) => descriptor.digest))],
      chainIds: [...new Set(layers.flatMap((stack) => chainIds(stack.map(({ diffId }) => diffId))))],
    };
  }

  #write(record: CacheRecord): void {
    const { digest, fileSystem, ...rest } = record;
    this.#documents.put(`step:${digest}`, { ...rest, layers: fileSystem.layers });
  }

  #read(digest: Digest, value: unknown): CacheRecord | undefined {
    if (value === undefined) return undefined;
    try {
      const fields = new Fields(value);
      return {
        digest,
        fileSystem: { layers: fields.list("layers", decodeLayer) ?? [] },
        title: fields.string("title") ?? "",
        sizeBytes: fields.integer("sizeBytes") ?? 0,
        createdAt: fields.required("createdAt", fields.integer("createdAt")),
        lastUsedAt: fields.integer("lastUsedAt") ?? 0,
      };
    } catch (error) {
      if (EngineError.is(error, "invalid")) return undefined;
      throw error;
    }
  }
}

function decodeLayer(value: unknown, path: string): Layer {
  const fields = new Fields(value, path);
  return {
    descriptor: decodeDescriptor(fields.raw("descriptor"), `${path}.descriptor`),
    diffId: parseDiffId(fields.required("diffId", fields.string("diffId"))),
  };
}

function stepOf(id: string, value: unknown): string | undefined {
  return id.startsWith("content:") ? new Fields(value).string("step") : undefined;
}

/** What people call the parts of a definition. */
const PART_NAMES: ReadonlyMap<string, string> = new Map([
  ["args", "the command"],
  ["script", "the script"],
  ["cwd", "the working directory"],
  ["user", "the user"],
  ["network", "the network mode"],
  ["mounts", "the mounts"],
  ["platform", "the platform"],
  ["sources", "the names of the sources"],
  ["files", "the content of the sources"],
  ["destination", "the destination"],
  ["chown", "--chown"],
  ["chmod", "--chmod"],
  ["excludes", "--exclude"],
  ["fileSystem", "the base image"],
  ["kind", "the kind of instruction"],
]);

function changedParts(before: ReadonlyMap<string, string>, vertex: Vertex): string[] {
  const names = new Set([...before.keys(), ...vertex.parts.keys()]);
  return [...names]
    .filter((name) => before.get(name) !== vertex.parts.get(name))
    .map((name) => PART_NAMES.get(name) ?? name.replace(/^env /, "the variable "));
}
