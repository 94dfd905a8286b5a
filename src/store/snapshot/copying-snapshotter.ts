import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { EngineError } from "#base/errors.ts";
import { openRoot } from "#linux/in-root.ts";
import type { RootDirectory } from "#linux/root-directory.ts";
import type { ChainId } from "#oci/digest.ts";
import { copyAttributes, copyNode } from "../layer/copy-node.ts";
import { isOpaque, isWhiteout } from "../layer/overlay-form.ts";
import { findPending, removePending } from "../layer/pending.ts";
import { settle } from "../layer/settle.ts";
import { diskUsage } from "./disk-usage.ts";
import type { CommitFacts, LayerDraft, Snapshot, Snapshotter, Usage } from "./snapshotter.ts";

interface Tree {
  readonly path: string;
  readonly parent: ChainId | undefined;
}

/**
 * The fake for tests: every snapshot is a whole copy, a mount is a symlink to it (unmount by removing that), records die
 * with the object. `upperPath` is the whole tree, not the changes.
 */
export class CopyingSnapshotter implements Snapshotter {
  readonly #root: string;
  readonly #committed = new Map<ChainId, Tree & { readonly facts: CommitFacts }>();
  readonly #active = new Map<string, Tree>();
  #last = 0;

  constructor(root: string) {
    this.#root = root;
  }

  find(chainId: ChainId): Snapshot | undefined {
    const found = this.#committed.get(chainId);
    return (
      found && { ...found.facts, createdAt: 0, ...(found.parent !== undefined && { parent: found.parent }) }
    );
  }

  list(): Snapshot[] {
    return [...this.#committed.keys()].flatMap((chainId) => this.find(chainId) ?? []);
  }

  actives(): string[] {
    return [...this.#active.keys()];
  }

  async draft(): Promise<LayerDraft> {
    const path = join(this.#newFolder(), "diff");
    mkdirSync(path);
    return {
      path,
      commit: async ({ parent, ...facts }) => {
        if (this.#committed.has(facts.chainId)) return;
        this.#commitDraft(path, parent, facts);
      },
      [Symbol.asyncDispose]: async () => rmSync(dirname(path), { recursive: true, force: true }),
    };
  }

  async prepare(key: string, parent: ChainId | undefined): Promise<void> {
    if (this.#active.has(key)) {
      throw new EngineError(
        "conflict",
        `Cannot prepare snapshot "${key}": there is an active one of that name`,
      );
    }
    this.#active.set(key, { path: this.#copyOf(parent), parent });
  }

  mount(key: string, target: string): void {
    link(this.#getActive(key).path, target);
  }

  mountView(chainId: ChainId, target: string): void {
    link(this.#getCommitted(chainId).path, target);
  }

  upperPath(key: string): string {
    return this.#getActive(key).path;
  }

  async commit(key: string, facts: CommitFacts): Promise<void> {
    const tree = this.#getActive(key);
    this.#active.delete(key);
    if (!this.#committed.has(facts.chainId)) this.#committed.set(facts.chainId, { ...tree, facts });
  }

  async removeActive(key: string): Promise<void> {
    this.#active.delete(key);
  }

  async remove(chainId: ChainId): Promise<void> {
    const children = [...this.#committed.values(), ...this.#active.values()];
    if (children.some(({ parent }) => parent === chainId)) {
      throw new EngineError("conflict", `Cannot remove snapshot ${chainId}: others stand on it`);
    }
    this.#committed.delete(chainId);
  }

  async usage(key: string): Promise<Usage> {
    return await diskUsage(this.upperPath(key));
  }

  async recover(keep: ReadonlySet<string>): Promise<void> {
    for (const key of this.actives()) if (!keep.has(key)) this.#active.delete(key);
    const known = [...this.#active.values(), ...this.#committed.values()].map(({ path }) => path);
    for (const name of readdirSync(this.#root)) {
      if (!known.includes(join(this.#root, name))) rmSync(join(this.#root, name), { recursive: true });
    }
  }

  #commitDraft(path: string, parent: ChainId | undefined, facts: CommitFacts): void {
    const merged = this.#copyOf(parent);
    using layer = openRoot(path);
    using target = openRoot(merged);
    const pending = findPending(path);
    if (pending !== undefined) settle({ layer, below: parent === undefined ? undefined : target, pending });
    removePending(path);
    copyAttributes(layer, target, { from: ".", to: "." });
    mergeLayer(layer, target, "");
    this.#committed.set(facts.chainId, { path: merged, parent, facts });
  }

  #copyOf(parent: ChainId | undefined): string {
    const source = parent === undefined ? undefined : this.#getCommitted(parent).path;
    const path = this.#newFolder();
    if (source !== undefined) cpSync(source, path, { recursive: true, verbatimSymlinks: true });
    return path;
  }

  #getActive(key: string): Tree {
    const tree = this.#active.get(key);
    if (tree === undefined)
      throw new EngineError("not-found", `Cannot use snapshot "${key}": there is no active one`);
    return tree;
  }

  #getCommitted(chainId: ChainId): Tree {
    const tree = this.#committed.get(chainId);
    if (tree === undefined)
      throw new EngineError("not-found", `Cannot use snapshot ${chainId}: it is not unpacked`);
    return tree;
  }

  #newFolder(): string {
    const path = join(this.#root, `${++this.#last}`);
    mkdirSync(path, { recursive: true });
    return path;
  }
}

/** Puts a layer in overlay form on top of a plain tree. */
function mergeLayer(layer: RootDirectory, target: RootDirectory, folder: string): void {
  if (isOpaque(layer, folder))
    for (const name of target.readdir(folder || ".")) target.removeTree(join(folder, name));
  for (const name of layer.readdir(folder || ".")) {
    const path = join(folder, name);
    const stat = layer.stat(path);
    const isMerged = stat.type === "directory" && target.find(path)?.type === "directory";
    if (!isMerged) target.removeTree(path);
    if (isWhiteout(stat)) continue;
    if (isMerged) copyAttributes(layer, target, { from: path, to: path });
    else copyNode(layer, target, { from: path, to: path });
    if (stat.type === "directory") mergeLayer(layer, target, path);
  }
}

function link(tree: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  if (existsSync(target)) rmSync(target, { recursive: true });
  symlinkSync(tree, target);
}
