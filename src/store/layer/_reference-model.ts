import { pathComponents, type TarEntry } from "#oci/tar/tar-entry.ts";
import { parseWhiteout } from "#oci/tar/whiteout.ts";

/** A file as far as the model knows it; `content` is a text, or where a symlink points. */
export interface ModelNode {
  readonly type: "file" | "directory" | "symlink";
  readonly mode: number;
  readonly uid: number;
  readonly content: string;
}

/** A file system as a map from path to node; the root is not in it. */
export type ModelTree = ReadonlyMap<string, ModelNode>;

export interface ModelEntry {
  readonly entry: TarEntry;
  readonly content: string;
}

const IMPLIED: ModelNode = { type: "directory", mode: 0o755, uid: 0, content: "" };

/**
 * The sequential reference: a layer applied to a whole tree as the OCI image-spec says, whiteouts first, then entries in
 * order. `undefined` when the layer is not one (a file is used as a directory, a hard link has no target).
 */
export function applyToModel(below: ModelTree, layer: readonly ModelEntry[]): ModelTree | undefined {
  const tree = new Map(below);
  const own = new Set<string>();
  for (const { entry } of layer) {
    const { parent, name } = split(entry.path);
    const whiteout = parseWhiteout(name);
    if (whiteout?.kind === "opaque") removeBelow(tree, parent);
    else if (whiteout?.kind === "remove") removeTree(tree, join(parent, whiteout.name));
  }
  for (const { entry, content } of layer) {
    const { parent, name } = split(entry.path);
    for (const ancestor of ancestorsOf(entry.path)) {
      if (own.has(ancestor) && tree.get(ancestor)?.type !== "directory") return undefined;
    }
    if (parseWhiteout(name) !== undefined) {
      ensureDirectory(tree, parent);
      continue;
    }
    const target = entry.type === "hardlink" ? tree.get(entry.linkName ?? "") : undefined;
    const isLink = entry.type === "hardlink";
    const linkName = entry.linkName ?? "";
    const isCovered =
      `${entry.path}/`.startsWith(`${linkName}/`) || `${linkName}/`.startsWith(`${entry.path}/`);
    if (isLink && (target === undefined || target.type === "directory" || isCovered)) return undefined;
    ensureDirectory(tree, parent);
    const isMerged = entry.type === "directory" && tree.get(entry.path)?.type === "directory";
    if (!isMerged) removeTree(tree, entry.path);
    tree.set(entry.path, target ?? nodeOf(entry, content));
    own.add(entry.path);
  }
  return tree;
}

function nodeOf(entry: TarEntry, content: string): ModelNode {
  const type = entry.type === "directory" || entry.type === "symlink" ? entry.type : "file";
  return {
    type,
    mode: type === "symlink" ? 0o777 : entry.mode,
    uid: entry.uid,
    content: type === "symlink" ? (entry.linkName ?? "") : content,
  };
}

function ensureDirectory(tree: Map<string, ModelNode>, path: string): void {
  for (const ancestor of [...ancestorsOf(path), path]) {
    if (ancestor === "" || tree.get(ancestor)?.type === "directory") continue;
    removeTree(tree, ancestor);
    tree.set(ancestor, IMPLIED);
  }
}

function removeTree(tree: Map<string, ModelNode>, path: string): void {
  tree.delete(path);
  removeBelow(tree, path);
}

function removeBelow(tree: Map<string, ModelNode>, path: string): void {
  const prefix = path === "" ? "" : `${path}/`;
  for (const known of tree.keys()) if (known.startsWith(prefix)) tree.delete(known);
}

function ancestorsOf(path: string): string[] {
  const components = pathComponents(path);
  return components.slice(0, -1).map((_, index) => components.slice(0, index + 1).join("/"));
}

function split(path: string): { parent: string; name: string } {
  const components = pathComponents(path);
  const name = components.pop() ?? "";
  return { parent: components.join("/"), name };
}

function join(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}
