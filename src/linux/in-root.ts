import { dirname } from "node:path";
import { isErrno } from "#base/errors.ts";
import { readNames, removeTree } from "./_directory.ts";
import { check, cPath, fchmodat2, lastErrno, libc } from "./_libc.ts";
import { type Located, Parents } from "./_parents.ts";
import { statAt } from "./_stat.ts";
import { getXattr, listXattrs, setXattr } from "./_xattr.ts";
import {
  AT_EMPTY_PATH,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
} from "./constants.ts";
import { errnoNumber, SystemCallError } from "./errno.ts";
import { readFd, timespecs } from "./file-descriptor.ts";
import { decodeName } from "#base/file-name.ts";
import type { DeviceNumber, FileStat, RootDirectory } from "./root-directory.ts";

const ENOSYS = errnoNumber("ENOSYS");
const F_DUPFD_CLOEXEC = 1030;
const PATH_MAX = 4096;
/** The kernel's own limit of links in one walk. */
const MAX_LINKS = 40;

const scratch = new Uint8Array(PATH_MAX);

/** Opens the door to the tree below `path`; see `RootDirectory`. The caller disposes. */
export function openRoot(path: string): RootDirectory {
  const fd = check(libc.open(cPath(path, "open"), O_PATH | O_DIRECTORY | O_CLOEXEC, 0), "open", path);
  return new RealRootDirectory(path, new Parents(fd));
}

class RealRootDirectory implements RootDirectory {
  readonly path: string;
  readonly #parents: Parents;

  constructor(path: string, parents: Parents) {
    this.path = path;
    this.#parents = parents;
  }

  [Symbol.dispose](): void {
    this.#parents[Symbol.dispose]();
  }

  open(path: string, flags: number, mode = 0): number {
    const { fd, name } = this.#parents.locate(path);
    return check(libc.openat(fd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode), "open", path);
  }

  openFollowing(path: string, flags: number, mode = 0): number {
    return this.#parents.open(path, flags, mode);
  }

  openParent(path: string): { fd: number; name: string } {
    const { fd, name } = this.#parents.locate(path);
    const own = check(libc.fcntl(fd, F_DUPFD_CLOEXEC, 0), "fcntl F_DUPFD_CLOEXEC", path);
    return { fd: own, name: typeof name === "string" ? name : decodeName(name.subarray(0, -1)) };
  }

  openRegular(path: string): number | undefined {
    return this.#with(this.open(path, O_PATH), (pinned) => {
      if (statAt(pinned, "", { shown: path, flags: AT_EMPTY_PATH }).type !== "file") return undefined;
      return check(libc.open(procPath(pinned), O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0), "open", path);
    });
  }

  createFile(path: string, mode: number): number {
    return this.open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
  }

  readFile(path: string, maxBytes: number): Uint8Array {
    // A FIFO or a device may block or act when opened, so look first, through a descriptor that does neither.
    return this.#with(this.openFollowing(path, O_PATH), (pinned) => {
      const { type, size } = statAt(pinned, "", { shown: path, flags: AT_EMPTY_PATH });
      if (type !== "file") throw new SystemCallError("read", errnoNumber("EINVAL"), path);
      if (size > maxBytes) throw new SystemCallError("read", errnoNumber("EFBIG"), path);
      const flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
      return this.#with(check(libc.open(procPath(pinned), flags, 0), "open", path), (fd) =>
        readAll(fd, maxBytes, path),
      );
    });
  }

  mkdir(path: string, mode: number): void {
    const { fd, name } = this.#parents.locate(path);
    check(libc.mkdirat(fd, name, mode), "mkdir", path);
  }

  mkdirAll(path: string, options: { mode: number; uid: number; gid: number }): void {
    this.#mkdirAll(path, options, MAX_LINKS);
  }

  symlink(target: string, path: string): void {
    const { fd, name } = this.#parents.locate(path);
    check(libc.symlinkat(cPath(target, "symlink"), fd, name), "symlink", path);
  }

  link(existing: string, path: string): void {
    const from = this.#parents.locate(existing);
    const to = this.#parents.locate(path);
    check(libc.linkat(from.fd, from.name, to.fd, to.name, 0), "link", path);
  }

  mknod(path: string, mode: number, device: DeviceNumber): void {
    const { fd, name } = this.#parents.locate(path);
    check(libc.mknodat(fd, name, mode, deviceNumber(device)), "mknod", path);
  }

  unlink(path: string): void {
    const { fd, name } = this.#parents.locate(path);
    check(libc.unlinkat(fd, name, 0), "unlink", path);
    this.#parents.forget();
  }

  rmdir(path: string): void {
    const { fd, name } = this.#parents.locate(path);
    check(libc.unlinkat(fd, name, AT_REMOVEDIR), "rmdir", path);
    this.#parents.forget();
  }

  removeTree(path: string): void {
    const located = this.#find(path);
    if (located === undefined) return;
    if (located.name === ".") throw new SystemCallError("rmdir", errnoNumber("EBUSY"), path);
    try {
      removeTree(located, path);
    } finally {
      this.#parents.forget();
    }
  }

  rename(from: string, to: string): void {
    const old = this.#parents.locate(from);
    const wanted = this.#parents.locate(to);
    check(libc.renameat(old.fd, old.name, wanted.fd, wanted.name), "rename", to);
    this.#parents.forget();
  }

  stat(path: string, options: { follow?: boolean } = {}): FileStat {
    if (options.follow === true) {
      return this.#with(this.openFollowing(path, O_PATH), (fd) =>
        statAt(fd, "", { shown: path, flags: AT_EMPTY_PATH }),
      );
    }
    const { fd, name } = this.#parents.locate(path);
    return statAt(fd, name, { shown: path });
  }

  find(path: string, options: { follow?: boolean } = {}): FileStat | undefined {
    try {
      return this.stat(path, options);
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  }

  readlink(path: string): string {
    const { fd, name } = this.#parents.locate(path);
    const size = check(libc.readlinkat(fd, name, scratch, scratch.length), "readlink", path);
    return decodeName(scratch.subarray(0, size));
  }

  readdir(path: string): string[] {
    return this.#with(this.open(path, O_RDONLY | O_DIRECTORY), (fd) =>
      readNames(fd, path).map((name) => decodeName(name.subarray(0, -1))),
    );
  }

  chown(path: string, uid: number, gid: number): void {
    const { fd, name } = this.#parents.locate(path);
    check(libc.fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW), "chown", path);
  }

  chmod(path: string, mode: number): void {
    const { fd, name } = this.#parents.locate(path);
    if (fchmodat2(fd, name, mode, AT_SYMLINK_NOFOLLOW) === 0) return;
    const errno = lastErrno();
    if (errno !== ENOSYS) throw new SystemCallError("chmod", errno, path);
    this.#with(this.open(path, O_PATH), (pinned) => chmodPinned(pinned, mode, path));
  }

  utimes(path: string, mtimeNs: bigint): void {
    const { fd, name } = this.#parents.locate(path);
    check(libc.utimensat(fd, name, timespecs(mtimeNs), AT_SYMLINK_NOFOLLOW), "utimes", path);
  }

  setXattr(path: string, name: string, value: Uint8Array): void {
    setXattr(this.#procName(path), { name, value }, path);
  }

  getXattr(path: string, name: string): Uint8Array | undefined {
    return getXattr(this.#procName(path), name, path);
  }

  listXattrs(path: string): string[] {
    return listXattrs(this.#procName(path), path);
  }

  /** Makes the parents first, and follows a link that points nowhere yet, as a shell in the root would. */
  #mkdirAll(path: string, options: { mode: number; uid: number; gid: number }, links: number): void {
    if (this.find(path, { follow: true })?.type === "directory") return;
    const parent = dirname(path);
    if (parent !== path) this.#mkdirAll(parent, options, links);
    try {
      this.mkdir(path, options.mode);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      return this.#mkdirBehind(path, options, links);
    }
    this.chown(path, options.uid, options.gid);
  }

  #mkdirBehind(path: string, options: { mode: number; uid: number; gid: number }, links: number): void {
    const found = this.find(path);
    if (found?.type === "directory") return;
    if (found?.type !== "symlink") throw new SystemCallError("mkdir", errnoNumber("ENOTDIR"), path);
    if (links === 0) throw new SystemCallError("mkdir", errnoNumber("ELOOP"), path);
    this.#mkdirAll(this.#linkTarget(path), options, links - 1);
  }

  /** Where the link at `path` points, or `path` itself when somebody has put another thing in its place. */
  #linkTarget(path: string): string {
    try {
      const target = this.readlink(path);
      return target.startsWith("/") ? target : `${dirname(path)}/${target}`;
    } catch (error) {
      if (isErrno(error, "EINVAL")) return path;
      throw error;
    }
  }

  #find(path: string): Located | undefined {
    try {
      return this.#parents.locate(path);
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  }

  /** The name through its pinned parent, for calls that have no form that takes a directory fd. */
  #procName(path: string): string | Uint8Array {
    const { fd, name } = this.#parents.locate(path);
    const parent = `${procPath(fd)}/`;
    return typeof name === "string" ? parent + name : Buffer.concat([Buffer.from(parent), name]);
  }

  #with<T>(fd: number, work: (fd: number) => T): T {
    try {
      return work(fd);
    } finally {
      libc.close(fd);
    }
  }
}

/** chmod through an `O_PATH` descriptor, for kernels before 6.6: `/proc` follows it to the file itself, never further. */
export function chmodPinned(pinned: number, mode: number, shown: string): void {
  // A symlink has no mode, and some file systems would set one.
  if (statAt(pinned, "", { shown, flags: AT_EMPTY_PATH }).type === "symlink") {
    throw new SystemCallError("chmod", errnoNumber("EOPNOTSUPP"), shown);
  }
  check(libc.chmod(procPath(pinned), mode), "chmod", shown);
}

function procPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** The kernel's 32-bit form of a device number. `new_encode_dev` of `linux/kdev_t.h`. */
function deviceNumber({ major, minor }: DeviceNumber): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

function readAll(fd: number, maxBytes: number, shown: string): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let size = 0; ; ) {
    const chunk = new Uint8Array(65536);
    const read = readFd(fd, chunk);
    if (read === 0) return Buffer.concat(chunks);
    size += read;
    if (size > maxBytes) throw new SystemCallError("read", errnoNumber("EFBIG"), shown);
    chunks.push(chunk.subarray(0, read));
  }
}
