import { isErrno } from "#base/errors.ts";
import { closeFd, readFd } from "#linux/file-descriptor.ts";
import type { FileStat, RootDirectory } from "#linux/root-directory.ts";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { isStoredXattr } from "./stored-xattrs.ts";

const READ_BYTES = 256 * 1024;

export interface TreeFile {
  /** Relative to the root, `""` for the root itself. */
  readonly path: string;
  readonly stat: FileStat;
}

/**
 * Everything below `start` (by default the root) and `start` itself, directories before what they hold, names in
 * code-unit order.
 */
export function* walkTree(root: RootDirectory, start = ""): Generator<TreeFile, void, undefined> {
  const waiting = [start];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const at = path || ".";
    const stat = unlessGone(() => root.find(at));
    if (stat === undefined) continue;
    yield { path, stat };
    if (stat.type !== "directory") continue;
    const prefix = path === "" ? "" : `${path}/`;
    for (const name of namesIn(root, path).sort().reverse()) waiting.push(`${prefix}${name}`);
  }
}

/** None when something else has taken the directory's place meanwhile. */
function namesIn(root: RootDirectory, path: string): string[] {
  return unlessGone(() => root.readdir(path || ".")) ?? [];
}

/**
 * The archive entry of a file; `undefined` for sockets, which archives do not have, and for what is gone or another
 * thing by now.
 */
export function entryOf(root: RootDirectory, file: TreeFile): TarEntry | undefined {
  return file.stat.type === "socket" ? undefined : unlessGone(() => describe(root, file));
}

function describe(root: RootDirectory, { path, stat }: TreeFile): TarEntry | undefined {
  if (stat.type === "socket") return undefined;
  return {
    path: path === "" ? "." : path,
    type: stat.type,
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    size: stat.type === "file" ? stat.size : 0,
    mtimeNs: stat.mtimeNs,
    ...(stat.type === "symlink" && { linkName: root.readlink(path) }),
    ...((stat.type === "character" || stat.type === "block") && { device: stat.node }),
    xattrs: xattrsOf(root, path || "."),
  };
}

/** Runs `look`; `undefined` when whoever writes to the tree has removed or swapped what it looks at. */
export function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EINVAL")) return undefined;
    throw error;
  }
}

/**
 * Exactly `size` bytes of a file: what a writer adds meanwhile is left out, what it cuts off reads as zeros. When the
 * path is no regular file any more, all of them are.
 */
export function* contentOf(
  root: RootDirectory,
  path: string,
  size: number,
): Generator<Uint8Array, void, undefined> {
  const fd = unlessGone(() => root.openRegular(path));
  try {
    for (let rest = size; rest > 0; ) {
      const buffer = Buffer.allocUnsafe(Math.min(rest, READ_BYTES));
      const length = fd === undefined ? 0 : readFd(fd, buffer);
      if (length === 0) buffer.fill(0);
      const bytes = length === 0 ? buffer : buffer.subarray(0, length);
      rest -= bytes.length;
      yield bytes;
    }
  } finally {
    if (fd !== undefined) closeFd(fd);
  }
}

function xattrsOf(root: RootDirectory, path: string): Map<string, Uint8Array> {
  const xattrs = new Map<string, Uint8Array>();
  for (const name of root.listXattrs(path)) {
    const value = isStoredXattr(name) ? root.getXattr(path, name) : undefined;
    if (value !== undefined) xattrs.set(name, value);
  }
  return xattrs;
}
