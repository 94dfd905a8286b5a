import { openRoot } from "#linux/in-root.ts";
import type { RootDirectory } from "#linux/root-directory.ts";
import { isOpaque, isWhiteout } from "./overlay-form.ts";
import { type TreeFile, walkTree } from "./tree-entries.ts";

/** Docker's letters: added, changed, deleted. */
export interface Change {
  readonly kind: "A" | "C" | "D";
  /** Absolute, as seen in the container. */
  readonly path: string;
}

/**
 * What a writable layer has done to what is below it, in order of path.
 *
 * @param upper the layer, in overlay form
 * @param below where the layers below are mounted; `undefined` when there are none
 * @param leavesOut files of the layer that are no change
 */
export function changes(
  upper: string,
  below: string | undefined,
  leavesOut: (layer: RootDirectory, file: TreeFile) => boolean = () => false,
): Change[] {
  using layer = openRoot(upper);
  using lower = below === undefined ? undefined : openRoot(below);
  const found: Change[] = [];
  // Directories whose lower namesake is hidden: all they hold is new.
  const hidden: string[] = [];
  for (const file of walkTree(layer)) {
    if (leavesOut(layer, file)) continue;
    const { path, stat } = file;
    const isNew = hidden.some((directory) => path.startsWith(`${directory}/`));
    const old = isNew ? undefined : lower?.find(path || ".");
    if (path !== "") {
      if (isWhiteout(stat)) found.push({ kind: "D", path: `/${path}` });
      else found.push({ kind: old === undefined ? "A" : "C", path: `/${path}` });
    }
    if (stat.type !== "directory" || !isOpaque(layer, path)) continue;
    if (old?.type === "directory") found.push(...deletions({ layer, lower, path }));
    hidden.push(path);
  }
  return found.sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** What an opaque directory hides, but for names it has itself. */
function deletions(at: { layer: RootDirectory; lower: RootDirectory | undefined; path: string }): Change[] {
  const { layer, lower, path } = at;
  const kept = new Set(layer.readdir(path || "."));
  const names = lower?.readdir(path || ".").filter((name) => !kept.has(name)) ?? [];
  return names.map((name) => ({ kind: "D", path: path === "" ? `/${name}` : `/${path}/${name}` }));
}
