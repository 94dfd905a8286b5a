import type { IgnoreMatch, IgnorePatterns } from "#base/ignore-patterns.ts";
import type { Digest } from "#oci/digest.ts";
import type { TreeEntry } from "./source-tree.ts";
import type { Extent } from "./spool.ts";

/** A file of a context in memory. */
export interface Node {
  attributes: Omit<TreeEntry, "path">;
  /** Of a directory. A `Map`: names come from outside. */
  readonly children?: Map<string, Node>;
  /** Of a regular file. */
  readonly content?: { readonly extent: Extent; readonly digest: Digest };
}

/** As many links as the kernel follows. `path_resolution(7)`. */
const MAX_LINKS = 40;

const DIRECTORY: Node["attributes"] = {
  type: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeNs: 0n,
  xattrs: new Map(),
};

export function newDirectory(attributes = DIRECTORY): Node {
  return { attributes, children: new Map() };
}

/**
 * The node that `path` leads to, and its path without links. `..` stops at the root; absolute links begin there.
 *
 * @param follow whether a link in the last place is followed
 */
export function findNode(
  root: Node,
  path: string,
  follow: boolean,
): { path: string; node: Node } | undefined {
  const rest = path.split("/").toReversed();
  const trail: { readonly name: string; readonly node: Node }[] = [];
  let links = 0;
  while (rest.length > 0) {
    const name = rest.pop() ?? "";
    const here = trail.at(-1)?.node ?? root;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      trail.pop();
      continue;
    }
    const node = here.children?.get(name);
    if (node === undefined) return undefined;
    const { linkName } = node.attributes;
    if (linkName === undefined || (rest.length === 0 && !follow)) {
      trail.push({ name, node });
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    if (linkName.startsWith("/")) trail.length = 0;
    rest.push(...linkName.split("/").toReversed());
  }
  return { path: trail.map(({ name }) => name).join("/"), node: trail.at(-1)?.node ?? root };
}

/** Removes what is ignored; an ignored directory stays when something below it is wanted. */
export function ignoreNodes(directory: Node, patterns: IgnorePatterns): void {
  if (!patterns.isEmpty) prune(directory, patterns, { path: "", match: undefined });
}

function prune(
  directory: Node,
  patterns: IgnorePatterns,
  at: { readonly path: string; readonly match: IgnoreMatch | undefined },
): void {
  for (const [name, node] of directory.children ?? []) {
    const path = at.path === "" ? name : `${at.path}/${name}`;
    const match = patterns.match(path, at.match);
    const isDirectory = node.children !== undefined;
    if (isDirectory && (!match.isIgnored || patterns.mayKeepBelow(path)))
      prune(node, patterns, { path, match });
    else if (isDirectory) node.children?.clear();
    if (match.isIgnored && (!isDirectory || node.children?.size === 0)) directory.children?.delete(name);
  }
}
