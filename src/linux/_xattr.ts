import { isErrno } from "#base/errors.ts";
import { check, cPath, libc } from "./_libc.ts";

/** XATTR_SIZE_MAX and XATTR_LIST_MAX of `linux/limits.h`. */
const MAX_BYTES = 65536;

const scratch = new Uint8Array(MAX_BYTES);

type CPath = string | Uint8Array;

/** An extended attribute of `path`, whose last component is not followed; `shown` is the path that errors name. */
export function getXattr(path: CPath, name: string, shown: string): Uint8Array | undefined {
  const attribute = cPath(name, "getxattr");
  try {
    const size = check(libc.lgetxattr(path, attribute, scratch, MAX_BYTES), "getxattr", shown);
    return scratch.slice(0, size);
  } catch (error) {
    // EOPNOTSUPP: the file system has none, or none of that kind.
    if (isErrno(error, "ENODATA", "EOPNOTSUPP")) return undefined;
    throw error;
  }
}

/** Sets an extended attribute, not following the last component. */
export function setXattr(path: CPath, attribute: { name: string; value: Uint8Array }, shown: string): void {
  const { name, value } = attribute;
  check(libc.lsetxattr(path, cPath(name, "setxattr"), value, value.length, 0), "setxattr", shown);
}

/** The names of all attributes, not following the last component. */
export function listXattrs(path: CPath, shown: string): string[] {
  try {
    const size = check(libc.llistxattr(path, scratch, MAX_BYTES), "listxattr", shown);
    return new TextDecoder().decode(scratch.subarray(0, size)).split("\0").slice(0, -1);
  } catch (error) {
    if (isErrno(error, "EOPNOTSUPP")) return [];
    throw error;
  }
}
