import { check, lastErrno, libc } from "./_libc.ts";
import { O_CLOEXEC } from "./constants.ts";
import { errnoNumber } from "./errno.ts";

/** Calls on open file descriptors, which are safe whatever has become of the path. */

const EMPTY = new Uint8Array(0);

export function closeFd(fd: number): void {
  check(libc.close(fd), "close");
}

/** Writes all of `bytes`. */
export function writeFd(fd: number, bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0; ) {
    const written = check(libc.write(fd, rest, rest.length), "write");
    rest = written === rest.length ? EMPTY : rest.subarray(written);
  }
}

/** Reads up to `buffer.length` bytes into `buffer`; how many, 0 at the end. */
export function readFd(fd: number, buffer: Uint8Array): number {
  return check(libc.read(fd, buffer, buffer.length), "read");
}

/** `_IOW(0x94, 9, int)` of `linux/fs.h`. */
const FICLONE = 0x40049409;
const COPY_BYTES = 1 << 30;
const REFUSALS = new Set(["EXDEV", "EINVAL", "EOPNOTSUPP", "ENOSYS", "EPERM", "EBADF"].map(errnoNumber));

/**
 * Copies the rest of one file into another without the bytes passing through us: shared where the file system can, copied
 * by the kernel where it will. Where it will not, "copied" may mean a part: both files then stand where the copy
 * ended, to go on from there. ioctl_ficlone(2), copy_file_range(2).
 */
export function copyInKernel(from: number, to: number): "shared" | "copied" {
  if (libc.ioctl(to, FICLONE, from) === 0) return "shared";
  for (;;) {
    const copied = libc.copy_file_range(from, null, to, null, COPY_BYTES, 0);
    if (copied > 0) continue;
    if (copied < 0 && !REFUSALS.has(lastErrno())) check(copied, "copy_file_range");
    return "copied";
  }
}

export function syncFd(fd: number): void {
  check(libc.fsync(fd), "fsync");
}

/** Clears set-id bits, so comes before `chmodFd`. */
export function chownFd(fd: number, uid: number, gid: number): void {
  check(libc.fchown(fd, uid, gid), "fchown");
}

export function chmodFd(fd: number, mode: number): void {
  check(libc.fchmod(fd, mode), "fchmod");
}

/** Sets access and modification time; after the last write, which would change them. */
export function utimesFd(fd: number, mtimeNs: bigint): void {
  check(libc.futimens(fd, timespecs(mtimeNs)), "futimens");
}

export function setXattrFd(fd: number, name: string, value: Uint8Array): void {
  check(libc.fsetxattr(fd, name, value, value.length, 0), "fsetxattr", name);
}

/** A pipe whose ends are close-on-exec. The caller closes both. */
export function openPipe(): { readEnd: number; writeEnd: number } {
  const ends = new Int32Array(2);
  check(libc.pipe2(ends, O_CLOEXEC), "pipe2");
  return { readEnd: ends[0] ?? -1, writeEnd: ends[1] ?? -1 };
}

const ST_RDONLY = 1n;
const fileSystem = new BigUint64Array(16);

/** Whether the mount that an open file lies on is read-only. `struct statfs`: the flags are its eleventh word. */
export function isOnReadOnlyMount(fd: number): boolean {
  check(libc.fstatfs(fd, fileSystem), "fstatfs");
  return ((fileSystem[10] ?? 0n) & ST_RDONLY) !== 0n;
}

const times = new BigInt64Array(4);

/** `struct timespec[2]`, access and modification time alike; valid until the next call. */
export function timespecs(ns: bigint): BigInt64Array {
  const rest = ns % 1_000_000_000n;
  // The nanoseconds are never negative: times before 1970 count up from the second below.
  const nanoseconds = rest < 0n ? rest + 1_000_000_000n : rest;
  const seconds = (ns - nanoseconds) / 1_000_000_000n;
  times[0] = times[2] = seconds;
  times[1] = times[3] = nanoseconds;
  return times;
}
