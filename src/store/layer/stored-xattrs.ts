import { isErrno } from "#base/errors.ts";

/**
 * Whether an attribute of an image is kept: those a program may set or needs. Not overlayfs's private ones, which would
 * steer the mount, nor labels of security modules, which belong to the host.
 */
export function isStoredXattr(name: string): boolean {
  if (name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.")) return false;
  return (
    name.startsWith("user.") ||
    name.startsWith("trusted.") ||
    name === "security.capability" ||
    name === "system.posix_acl_access" ||
    name === "system.posix_acl_default"
  );
}

/** Sets an attribute unless the file system or the kind of file cannot have it, as Docker does. */
export function setXattrIfPossible(set: () => void): void {
  try {
    set();
  } catch (error) {
    if (!isErrno(error, "EOPNOTSUPP", "ENOTSUP", "EPERM")) throw error;
  }
}
