import { isErrno } from "#base/errors.ts";
import type { AccountFiles } from "./spec/user.ts";

/** The door to an untrusted root file system (`RootDirectory` of `linux/`). */
export interface RootReader {
  /** The bytes of a regular file, symlinks followed inside the root. EFBIG above `maxBytes`, EINVAL when not a file. */
  readFile(path: string, maxBytes: number): Uint8Array;
}

/** Far above any real account file; a larger one is passed over, as one that is not a regular file. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Reads a container's account files, in its root, never through the host's name service. */
export function readAccountFiles(root: RootReader): AccountFiles {
  return { passwd: textOf(root, "/etc/passwd"), group: textOf(root, "/etc/group") };
}

function textOf(root: RootReader, path: string): string | undefined {
  try {
    return new TextDecoder().decode(root.readFile(path, MAX_BYTES));
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EINVAL", "EFBIG", "EISDIR", "ENXIO")) return undefined;
    throw error;
  }
}
