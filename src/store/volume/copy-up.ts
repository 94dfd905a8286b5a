import { setImmediate } from "node:timers/promises";
import type { RootDirectory } from "#linux/root-directory.ts";
import { copyAttributes, copyNode } from "../layer/copy-node.ts";

/** How long to copy before others get their turn: every call is synchronous. */
const SLICE_MS = 10;

/**
 * Copies what the directory `from` of `source` holds into the empty root of `target`, and gives that root the owner,
 * mode and times of `from`. Files with several names keep them. Each path is resolved inside its own root.
 */
export async function copyUp(source: RootDirectory, from: string, target: RootDirectory): Promise<void> {
  const links = new Map<string, string>();
  const directories = [""];
  const waiting = [""];
  let sliceEnd = performance.now() + SLICE_MS;
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const name of source.readdir(`${from}/${folder}/.`)) {
      const path = folder === "" ? name : `${folder}/${name}`;
      if (isDirectoryCopied({ source, target, links }, `${from}/${path}`, path)) {
        waiting.push(path);
        directories.push(path);
      }
      if (performance.now() < sliceEnd) continue;
      await setImmediate();
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
  // Times last, innermost first: what is made in a directory changes them.
  for (const path of directories.reverse()) {
    copyAttributes(source, target, { from: `${from}/${path}/.`, to: path || "." });
  }
}

function isDirectoryCopied(
  roots: { source: RootDirectory; target: RootDirectory; links: Map<string, string> },
  from: string,
  to: string,
): boolean {
  const { source, target, links } = roots;
  const stat = source.stat(from);
  const identity = `${stat.device.major}:${stat.device.minor}:${stat.inode}`;
  const first = stat.type !== "directory" && stat.links > 1 ? links.get(identity) : undefined;
  if (first !== undefined) target.link(first, to);
  else copyNode(source, target, { from, to });
  if (first === undefined && stat.links > 1) links.set(identity, to);
  return stat.type === "directory";
}
