import { type Digest, digestOf } from "#oci/digest.ts";
import type { CopyOperation, CopySource } from "./copy-operation.ts";
import type { FileSystem } from "./file-system.ts";
import type { RunOperation } from "./run-operation.ts";

/** Work that gives a file system. What it reads stands in `inputs`, the file system it changes first. */
export type Operation =
  /** A file system that is there already: a base image, or nothing (`scratch`). */
  | { readonly kind: "base"; readonly fileSystem: FileSystem }
  | RunOperation
  | CopyOperation
  /** WORKDIR: a directory and the missing ones above it. */
  | { readonly kind: "directory"; readonly path: string; readonly user: string };

/**
 * One node of the graph. Two vertices with equal digests do the same work on the same inputs, in whatever build they
 * stand, so that the work is done once.
 */
export interface Vertex {
  /** Of the definition and the digests of the inputs. */
  readonly digest: Digest;
  /** Of the definition alone; what the content key is made from. */
  readonly definition: Digest;
  readonly operation: Operation;
  readonly inputs: readonly Vertex[];
  /** The instruction, for people. */
  readonly title: string;
  /** Where the work stands: `stage-name/3`. With it a cache miss is explained; it is no part of the digest. */
  readonly slot: string;
  /** Named parts of the definition; a miss is explained by those that changed. */
  readonly parts: ReadonlyMap<string, Digest>;
}

export interface VertexInput {
  readonly operation: Operation;
  readonly inputs: readonly Vertex[];
  readonly title: string;
  readonly slot: string;
}

export function makeVertex({ operation, inputs, title, slot }: VertexInput): Vertex {
  const parts = definitionParts(operation);
  const definition = digestOf(canonical([operation.kind, ...parts.entries()]));
  const digest = digestOf(canonical([definition, ...inputs.map((input) => input.digest)]));
  return { digest, definition, operation, inputs, title, slot, parts };
}

/**
 * Every field of an operation is part of its definition, but for those that `NOT_IN_KEY` names. Variables and copied
 * files are parts of their own, so that a miss can name them.
 */
function definitionParts(operation: Operation): Map<string, Digest> {
  const parts = new Map<string, unknown>();
  for (const [name, value] of Object.entries(operation)) {
    if (value !== undefined && !NOT_IN_KEY.has(name)) parts.set(name, value);
  }
  if (operation.kind === "run") {
    parts.delete("env");
    for (const pair of operation.env) parts.set(`env ${pair.split("=", 1)[0]}`, pair);
  }
  if (operation.kind === "copy") {
    parts.set("sources", operation.sources.map(withoutContent));
    parts.set("files", operation.sources.map(contentOf));
  }
  const sorted = [...parts].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return new Map(sorted.map(([name, value]) => [name, digestOf(canonical(value))]));
}

function withoutContent(source: CopySource): unknown {
  if (source.from === "text") return { from: source.from, name: source.name };
  return source.from === "input" ? source : { from: source.from, path: source.path };
}

function contentOf(source: CopySource): string {
  if (source.from === "input") return "";
  return source.from === "text" ? source.text : source.content;
}

/**
 * Proxies are given to steps without being part of them: so it is documented for the predefined arguments.
 */
const NOT_IN_KEY: ReadonlySet<string> = new Set(["proxyEnv"]);

/** One text for equal values: keys sorted, maps as lists of pairs. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (part instanceof Map) return [...part.entries()];
    if (part === null || typeof part !== "object" || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
