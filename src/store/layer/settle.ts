import { EngineError } from "#base/errors.ts";
import type { RootDirectory } from "#linux/root-directory.ts";
import { quoted } from "#oci/tar/tar-entry.ts";
import { copyAttributes, copyNode } from "./copy-node.ts";
import { isOpaque, isWhiteout, makeOpaque } from "./overlay-form.ts";
import { ParentDirectories } from "./parent-directories.ts";
import type { Pending } from "./pending.ts";

export interface SettleOptions {
  /** The unpacked layer, in overlay form. */
  readonly layer: RootDirectory;
  /** What the layers below show together; `undefined` for the lowest layer. */
  readonly below: RootDirectory | undefined;
  readonly pending: Pending;
}

/**
 * Makes right what a layer could not know when it was unpacked alone. Directories that it only passed through take owner,
 * mode and times of those below; where the layers below have a symlink there, what lies in the directory moves to where
 * the link leads, as if it had been written through it; hard links to files below get a copy of the file to link to.
 *
 * @throws {EngineError} invalid when a hard link names a file that no layer has
 */
export function settle({ layer, below, pending }: SettleOptions): void {
  const links = pending.links.map((link) => ({ ...link }));
  if (below !== undefined) settleDirectories(layer, below, { directories: pending.directories, links });
  const context: LinkContext = {
    layer,
    below,
    copies: new Map(),
    placeholders: new Set(links.map(({ path }) => path)),
  };
  for (const link of links) settleLink(context, link);
}

interface LinkContext {
  readonly layer: RootDirectory;
  readonly below: RootDirectory | undefined;
  /** Files below that were copied under another name, and which. */
  readonly copies: Map<string, string>;
  /** Where an empty file still stands for a link. */
  readonly placeholders: Set<string>;
}

/** A target that the layer had not when the link came is the one below, whatever the layer has there by now. */
function settleLink(context: LinkContext, { path, target }: { path: string; target: string }): void {
  const { layer, below, copies, placeholders } = context;
  layer.unlink(path);
  placeholders.delete(path);
  const components = target.split("/");
  const name = components.pop() ?? "";
  const found = below === undefined ? undefined : findFile(below, components, name);
  if (below === undefined || found === undefined) {
    const inLayer = findFile(layer, components, name);
    if (inLayer !== undefined && !placeholders.has(inLayer)) return layer.link(inLayer, path);
    throw new EngineError(
      "invalid",
      `Cannot unpack ${quoted(path)}: it links to ${quoted(target)}, which no layer has`,
    );
  }
  const copied = copies.get(found);
  if (copied !== undefined) return layer.link(copied, path);
  if (isHidden(layer, found)) {
    copyNode(below, layer, { from: found, to: path });
    copies.set(found, path);
    return;
  }
  bringUp(layer, below, found);
  copies.set(found, found);
  layer.link(found, path);
}

/** Whether the layer hides all that lies below it around `path`. */
function isCutOff(layer: RootDirectory, path: string): boolean {
  const components = path === "" ? [] : path.split("/");
  return components.some((_, depth) => isOpaque(layer, components.slice(0, depth).join("/")));
}

/** Whether the layer has something at `path`, or hides what lies below there. */
function isHidden(layer: RootDirectory, path: string): boolean {
  const components = path.split("/");
  for (let depth = 1; depth <= components.length; depth++) {
    const part = components.slice(0, depth).join("/");
    const found = layer.find(part);
    if (found === undefined) return false;
    if (found.type !== "directory" || depth === components.length || isOpaque(layer, part)) return true;
  }
  return false;
}

function settleDirectories(
  layer: RootDirectory,
  below: RootDirectory,
  pending: { directories: readonly string[]; links: { path: string; target: string }[] },
): void {
  const lower = new ParentDirectories(below, Number.POSITIVE_INFINITY);
  const upper = new ParentDirectories(layer, Number.POSITIVE_INFINITY);
  // Parents come before children: what is moved is looked at again where it has come to lie.
  const queue = [...pending.directories];
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    if (layer.find(path || ".")?.type !== "directory" || isCutOff(layer, path)) continue;
    const found = below.find(path || ".");
    if (found?.type === "directory") copyAttributes(below, layer, { from: path || ".", to: path || "." });
    if (found?.type !== "symlink") continue;
    const end = lower.find(path.split("/"));
    if (end === undefined || end === path) continue;
    upper.ensure(end.split("/"));
    moveInto(layer, path, end);
    const moved = (old: string): string =>
      old === path || old.startsWith(`${path}/`) ? `${end}${old.slice(path.length)}` : old;
    for (const [index, old] of queue.entries()) queue[index] = moved(old);
    for (const link of pending.links) link.path = moved(link.path);
    queue.push(...[...upper.implied].filter((made) => made !== ""));
    upper.implied.clear();
    queue.sort();
  }
}

/** Moves what lies in directory `from` into directory `to`, merging directories; `from` is gone afterwards. */
function moveInto(layer: RootDirectory, from: string, to: string): void {
  if (isOpaque(layer, from)) makeOpaque(layer, to);
  for (const name of layer.readdir(from)) {
    const [old, target] = [join(from, name), join(to, name)];
    const [moved, found] = [layer.stat(old), layer.find(target)];
    if (found === undefined) layer.rename(old, target);
    else if (isWhiteout(moved)) {
      // What the layer itself has stays; only what lies below is hidden.
      layer.unlink(old);
      if (found.type === "directory") makeOpaque(layer, target);
    } else if (found.type === "directory" && moved.type === "directory") moveInto(layer, old, target);
    else {
      layer.removeTree(target);
      layer.rename(old, target);
      if (moved.type === "directory") makeOpaque(layer, target);
    }
  }
  layer.rmdir(from);
}

/** Where in `root` the file lies, through whatever symlinks its directories are; `undefined` when there is none. */
function findFile(root: RootDirectory, components: readonly string[], name: string): string | undefined {
  const parent = new ParentDirectories(root, Number.POSITIVE_INFINITY).find(components);
  if (parent === undefined) return undefined;
  const path = join(parent, name);
  const found = root.find(path);
  return found === undefined || found.type === "directory" || isWhiteout(found) ? undefined : path;
}

/** Copies a file of the layers below into the layer, with the directories it lies in, as overlayfs does on a write. */
function bringUp(layer: RootDirectory, below: RootDirectory, path: string): void {
  const components = path.split("/");
  for (let depth = 1; depth < components.length; depth++) {
    const directory = components.slice(0, depth).join("/");
    if (layer.find(directory) !== undefined) continue;
    layer.mkdir(directory, 0o700);
    copyAttributes(below, layer, { from: directory, to: directory });
  }
  copyNode(below, layer, { from: path, to: path });
}

function join(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}
