import { check, cPath, lastErrno, libc } from "./_libc.ts";
import { O_CLOEXEC, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR } from "./constants.ts";
import { errnoNumber, SystemCallError } from "./errno.ts";
import { openRoot } from "./in-root.ts";
import type { Files } from "./kernel.ts";
import { getXattr, listXattrs, setXattr } from "./_xattr.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = errnoNumber("EAGAIN");

export const realFiles: Files = {
  openRoot,
  getXattr: (path, name) => getXattr(cPath(path, "getxattr"), name, path),
  setXattr: (path, name, value) => setXattr(cPath(path, "setxattr"), { name, value }, path),
  listXattrs: (path) => listXattrs(cPath(path, "listxattr"), path),

  fsyncDirectory(path) {
    const fd = check(libc.open(cPath(path, "open"), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), "open", path);
    try {
      check(libc.fsync(fd), "fsync", path);
    } finally {
      libc.close(fd);
    }
  },

  flock(path) {
    const fd = check(libc.open(cPath(path, "open"), O_RDWR | O_CREAT | O_CLOEXEC, 0o600), "open", path);
    if (libc.flock(fd, LOCK_EX | LOCK_NB) === 0) return { [Symbol.dispose]: () => void libc.close(fd) };
    const errno = lastErrno();
    libc.close(fd);
    if (errno === EWOULDBLOCK) return undefined;
    throw new SystemCallError("flock", errno, path);
  },
};
