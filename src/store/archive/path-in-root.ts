import { isErrno } from "#base/errors.ts";
import { SystemCallError, errnoNumber } from "#linux/errno.ts";
import type { FileStat, RootDirectory } from "#linux/root-directory.ts";
import type { PathStat } from "./archive-request.ts";

/** Go's limit (path/filepath), which Docker's answers come from. */
const MAX_SYMLINKS = 255;

/** A path as a client wrote it, read from the container's root. */
export interface AskedPath {
  /** Without `.`, `..` and empty components, which are resolved by the letter as Docker does; `""` is the root. */
  readonly path: string;
  /** The last name; `.` when the path ends in it, `/` for the root. */
  readonly base: string;
  /** It ends in `/` or `/.`: a symlink there is followed, and anything but a directory refused. */
  readonly isDirectoryAsked: boolean;
}

export function parsePath(text: string): AskedPath {
  const components: string[] = [];
  for (const component of text.split("/")) {
    if (component === "..") components.pop();
    else if (component !== "" && component !== ".") components.push(component);
  }
  const endsInDot = text === "." || text.endsWith("/.");
  return {
    path: components.join("/"),
    base: endsInDot ? "." : (components.at(-1) ?? "/"),
    isDirectoryAsked: endsInDot || text.endsWith("/"),
  };
}

/**
 * The path without symlinks that `path` leads to inside the root: absolute targets begin at the root.
 *
 * @param isWhole when false, what is missing on the way is taken by the letter
 * @throws {SystemCallError} ENOENT, ENOTDIR, ELOOP
 */
export function resolvePath(root: RootDirectory, path: string, isWhole: boolean): string {
  const left = path.split("/").reverse();
  let at: string[] = [];
  let symlinks = 0;
  for (let component = left.pop(); component !== undefined; component = left.pop()) {
    if (component === "" || component === ".") continue;
    if (component === "..") {
      at.pop();
      continue;
    }
    const next = [...at, component].join("/");
    const found = root.find(next);
    if (found === undefined && isWhole) throw new SystemCallError("lstat", errnoNumber("ENOENT"), `/${next}`);
    if (found?.type !== "symlink") {
      at.push(component);
      continue;
    }
    if (++symlinks > MAX_SYMLINKS) throw new SystemCallError("readlink", errnoNumber("ELOOP"), `/${path}`);
    const target = readlink(root, next);
    if (target?.startsWith("/")) at = [];
    // No link any more: looked at again.
    left.push(...(target?.split("/").reverse() ?? [component]));
  }
  return at.join("/");
}

function readlink(root: RootDirectory, path: string): string | undefined {
  try {
    return root.readlink(path);
  } catch (error) {
    if (isErrno(error, "EINVAL", "ENOENT")) return undefined;
    throw error;
  }
}

/** Where the file lies that `asked` means: its last symlink followed only when a directory is asked for. */
export function locate(root: RootDirectory, asked: AskedPath): { path: string; stat: FileStat } {
  const path = asked.isDirectoryAsked ? resolvePath(root, asked.path, true) : asked.path;
  const stat = root.stat(path || ".");
  if (asked.isDirectoryAsked && stat.type !== "directory") {
    throw new SystemCallError("lstat", errnoNumber("ENOTDIR"), `/${asked.path}/`);
  }
  return { path, stat };
}

/** @throws {SystemCallError} ENOENT, ENOTDIR, ELOOP */
export function statPath(root: RootDirectory, asked: AskedPath): PathStat {
  const { path, stat } = locate(root, asked);
  return {
    name: asked.base === "." ? "." : asked.base,
    type: stat.type,
    mode: stat.mode,
    size: stat.size,
    mtimeNs: stat.mtimeNs,
    linkTarget: stat.type === "symlink" ? `/${resolvePath(root, path, false)}` : "",
  };
}
