import type { Digest } from "#oci/digest.ts";
import type { Selection } from "../graph/sources.ts";
import { canonical } from "../graph/vertex.ts";
import type { SourceTree } from "./source-tree.ts";

/** A context that several users hold; it is closed when its build and all steps that read it have ended. */
export class SharedContext implements AsyncDisposable {
  readonly tree: SourceTree & AsyncDisposable;
  #users = 1;

  constructor(tree: SourceTree & AsyncDisposable) {
    this.tree = tree;
  }

  hold(): AsyncDisposable {
    this.#users++;
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#users--;
    if (this.#users === 0) await this.tree[Symbol.asyncDispose]();
  }
}

/**
 * Finds a context that has certain content: a step that two builds share reads the context of either. A build enters
 * what it selects, and takes it back at its end.
 */
export class ContextRegistry {
  readonly #contexts = new Map<string, Set<SharedContext>>();

  /** Dispose the result to take it back. */
  enter(context: SharedContext, selection: Selection, content: Digest): Disposable {
    const key = keyOf(selection, content);
    const holders = this.#contexts.get(key) ?? new Set();
    this.#contexts.set(key, holders);
    holders.add(context);
    return {
      [Symbol.dispose]: () => {
        holders.delete(context);
        if (holders.size === 0) this.#contexts.delete(key);
      },
    };
  }

  /** A context that has `content` there, held until it is disposed. */
  acquire(selection: Selection, content: Digest): { readonly tree: SourceTree } & AsyncDisposable {
    const [context] = this.#contexts.get(keyOf(selection, content)) ?? [];
    if (context === undefined) throw new Error(`no build has the context of ${selection.path}`);
    const held = context.hold();
    return { tree: context.tree, [Symbol.asyncDispose]: async () => await held[Symbol.asyncDispose]() };
  }
}

function keyOf({ path, excludes, keepsParents }: Selection, content: Digest): string {
  return canonical([path, excludes, keepsParents, content]);
}
