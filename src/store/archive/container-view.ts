import { statSync } from "node:fs";
import { dirname } from "node:path";
import { isErrno } from "#base/errors.ts";
import { O_PATH } from "#linux/constants.ts";
import { closeFd } from "#linux/file-descriptor.ts";
import { openRoot } from "#linux/in-root.ts";
import { attachTree, cloneTree, enterPrivateMounts, restrictTree } from "#linux/mount-tree.ts";
import type { RootDirectory } from "#linux/root-directory.ts";
import type { View, ViewMount } from "./archive-request.ts";

const MOUNT_POINT = { mode: 0o755, uid: 0, gid: 0 };

/**
 * A container's files in one tree, with what is mounted into it, for this process alone: the container need not run, and
 * whether it does changes nothing. Devices in it are not opened and programs in it not run.
 *
 * Mounts are attached to directories that were resolved inside the root and are pinned by then: a name that the
 * container swaps for a link meanwhile leads no mount astray. For a reader the kernel keeps the whole tree read-only; for a
 * writer the root or the volumes that are to be.
 *
 * Kernel interfaces: openat2 (5.6), mount_setattr (5.12). Once in a process: its mounts are its own afterwards.
 */
export function openContainerView(view: View, access: "read" | "write"): RootDirectory {
  enterPrivateMounts();
  const tree = cloneTree(view.root, false);
  try {
    const place = openRoot(view.root);
    try {
      const fd = place.openFollowing(".", O_PATH);
      try {
        attachTree(tree, fd);
      } finally {
        closeFd(fd);
      }
    } finally {
      place[Symbol.dispose]();
    }
    const root = openRoot(view.root);
    for (const mount of view.mounts) attach(root, mount, access);
    if (access === "read") restrictTree(tree, { isReadOnly: true, isRecursive: true });
    else restrictTree(tree, { isReadOnly: view.isRootReadOnly, isRecursive: false });
    return root;
  } finally {
    closeFd(tree);
  }
}

/** A reader passes over what cannot be mounted: there is nothing to read then. */
function attach(root: RootDirectory, mount: ViewMount, access: "read" | "write"): void {
  try {
    makeMountPoint(root, mount);
    const tree = cloneSource(mount);
    try {
      restrictTree(tree, { isReadOnly: mount.isReadOnly, isRecursive: mount.isRecursive });
      const onto = root.openFollowing(mount.destination, O_PATH);
      try {
        attachTree(tree, onto);
      } finally {
        closeFd(onto);
      }
    } finally {
      closeFd(tree);
    }
  } catch (error) {
    if (access === "write" || !isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error;
  }
}

/** What a subpath names is resolved once, inside the source, and pinned. */
function cloneSource({ source, subpath, isRecursive }: ViewMount): number {
  if (subpath === undefined) return cloneTree(source, isRecursive);
  using inside = openRoot(source);
  const pinned = inside.openFollowing(subpath, O_PATH);
  try {
    return cloneTree(`/proc/self/fd/${pinned}`, isRecursive);
  } finally {
    closeFd(pinned);
  }
}

/** A container that has never run has no mount points yet. */
function makeMountPoint(root: RootDirectory, mount: ViewMount): void {
  const { destination } = mount;
  if (root.find(destination, { follow: true }) !== undefined) return;
  if (isDirectory(mount)) return root.mkdirAll(destination, MOUNT_POINT);
  root.mkdirAll(dirname(destination), MOUNT_POINT);
  closeFd(root.createFile(destination, 0o644));
}

function isDirectory({ source, subpath }: ViewMount): boolean {
  if (subpath === undefined) return statSync(source).isDirectory();
  using inside = openRoot(source);
  return inside.stat(subpath, { follow: true }).type === "directory";
}
