import { check, cPath, libc, mountSetattr, moveMount, openTree } from "./_libc.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  CLONE_NEWNS,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_REC,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "./constants.ts";

/*
 * Mounts put together by descriptors alone: a tree is copied, restricted while nobody can reach it, and attached to a
 * directory that is pinned already. No path is looked up twice, so that none can be swapped between two looks.
 */

/** What files of a mounted tree may do. */
export interface TreeRestrictions {
  readonly isReadOnly: boolean;
  /** Mounts below it too. */
  readonly isRecursive: boolean;
}

/**
 * Gives this process mounts of its own: what it mounts is seen by nobody else and goes with it; what the host unmounts
 * goes here too. For worker processes: there is no way back.
 */
export function enterPrivateMounts(): void {
  check(libc.unshare(CLONE_NEWNS), "unshare");
  check(libc.mount("none", "/", "", MS_REC | MS_SLAVE, ""), "mount", "/");
}

/**
 * A copy of the mount that shows `path`, attached nowhere, in which devices are not opened and programs not run. An
 * `O_PATH` descriptor; the caller closes.
 *
 * @param isRecursive with the mounts below it
 */
export function cloneTree(path: string, isRecursive: boolean): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (isRecursive ? AT_RECURSIVE : 0);
  const fd = check(openTree(AT_FDCWD, cPath(path, "open_tree"), flags), "open_tree", path);
  try {
    setAttributes(fd, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, isRecursive);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Restricts the mount whose root `fd` is. */
export function restrictTree(fd: number, { isReadOnly, isRecursive }: TreeRestrictions): void {
  if (isReadOnly) setAttributes(fd, MOUNT_ATTR_RDONLY, isRecursive);
}

/** Attaches `tree`, of `cloneTree`, to the file or directory that `onto` is, whatever its name is by now. */
export function attachTree(tree: number, onto: number): void {
  check(moveMount(tree, onto, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH), "move_mount");
}

/** `struct mount_attr`: what to set, what to clear, propagation, user namespace. */
function setAttributes(fd: number, attributes: number, isRecursive: boolean): void {
  const set = new BigUint64Array([BigInt(attributes), 0n, 0n, 0n]);
  const flags = AT_EMPTY_PATH | (isRecursive ? AT_RECURSIVE : 0);
  check(mountSetattr(fd, flags, set), "mount_setattr");
}
