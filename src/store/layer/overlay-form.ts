import { S_IFCHR } from "#linux/constants.ts";
import type { FileStat, RootDirectory } from "#linux/root-directory.ts";

/*
 * How overlayfs marks removals in an upper directory. Kernel, Documentation/filesystems/overlayfs.rst, "whiteouts and
 * opaque directories": a whiteout is a character device 0/0, an opaque directory has the attribute below with value y.
 */

const OPAQUE_XATTR = "trusted.overlay.opaque";
const OPAQUE = new TextEncoder().encode("y");
const NO_DEVICE = { major: 0, minor: 0 };

/** Makes the layer hide `path` of the layers below. */
export function makeWhiteout(root: RootDirectory, path: string): void {
  root.mknod(path, S_IFCHR, NO_DEVICE);
}

export function isWhiteout(stat: FileStat): boolean {
  return stat.type === "character" && stat.node.major === 0 && stat.node.minor === 0;
}

/** Makes the directory hide all that the layers below have in it; `""` is the root. */
export function makeOpaque(root: RootDirectory, path: string): void {
  root.setXattr(path || ".", OPAQUE_XATTR, OPAQUE);
}

export function isOpaque(root: RootDirectory, path: string): boolean {
  return root.getXattr(path || ".", OPAQUE_XATTR)?.[0] === OPAQUE[0];
}
