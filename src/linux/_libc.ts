import { dlopen, read } from "bun:ffi";
import { errnoNumber, SystemCallError } from "./errno.ts";
import { encodeName } from "#base/file-name.ts";

/**
 * The C library, by `bun:ffi`: the only place where foreign functions are bound. Private to this room.
 *
 * Each call is synchronous on the JavaScript thread, about 0.1 µs above the kernel's own work. `cstring` parameters take
 * a JavaScript string (Bun adds the NUL) or bytes that end in NUL; `ptr` parameters take a typed array, or `null`.
 * Lengths and results are `i32`: we never move 2 GiB in one call, and a 64-bit result could be a bigint.
 *
 * errno: `__errno_location()` is constant for a thread, so its address is asked once and the value read from memory
 * straight after the call. Nothing of Bun runs between the two, which `errno.test.ts` proves over many calls under
 * garbage collection; a call to `__errno_location` each time would cost more and prove less.
 */
export const libc = dlopen("libc.so.6", {
  // mounts and namespaces
  mount: { args: ["cstring", "cstring", "cstring", "u64", "cstring"], returns: "i32" },
  umount2: { args: ["cstring", "i32"], returns: "i32" },
  unshare: { args: ["i32"], returns: "i32" },
  setns: { args: ["i32", "i32"], returns: "i32" },
  chdir: { args: ["cstring"], returns: "i32" },
  fchdir: { args: ["i32"], returns: "i32" },
  // file descriptors
  open: { args: ["cstring", "i32", "u32"], returns: "i32" },
  openat: { args: ["i32", "cstring", "i32", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  read: { args: ["i32", "ptr", "u64"], returns: "i32" },
  write: { args: ["i32", "ptr", "u64"], returns: "i32" },
  copy_file_range: { args: ["i32", "ptr", "i32", "ptr", "u64", "u32"], returns: "i32" },
  lseek: { args: ["i32", "i64", "i32"], returns: "i32" },
  fsync: { args: ["i32"], returns: "i32" },
  fstatfs: { args: ["i32", "ptr"], returns: "i32" },
  memfd_create: { args: ["cstring", "u32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "u64"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  // directories and names
  getdents64: { args: ["i32", "ptr", "u64"], returns: "i32" },
  mkdirat: { args: ["i32", "cstring", "u32"], returns: "i32" },
  mknodat: { args: ["i32", "cstring", "u32", "u64"], returns: "i32" },
  symlinkat: { args: ["cstring", "i32", "cstring"], returns: "i32" },
  linkat: { args: ["i32", "cstring", "i32", "cstring", "i32"], returns: "i32" },
  unlinkat: { args: ["i32", "cstring", "i32"], returns: "i32" },
  renameat: { args: ["i32", "cstring", "i32", "cstring"], returns: "i32" },
  readlinkat: { args: ["i32", "cstring", "ptr", "u64"], returns: "i32" },
  // metadata
  statx: { args: ["i32", "cstring", "i32", "u32", "ptr"], returns: "i32" },
  chmod: { args: ["cstring", "u32"], returns: "i32" },
  fchmod: { args: ["i32", "u32"], returns: "i32" },
  fchown: { args: ["i32", "u32", "u32"], returns: "i32" },
  fchownat: { args: ["i32", "cstring", "u32", "u32", "i32"], returns: "i32" },
  futimens: { args: ["i32", "ptr"], returns: "i32" },
  utimensat: { args: ["i32", "cstring", "ptr", "i32"], returns: "i32" },
  lsetxattr: { args: ["cstring", "cstring", "ptr", "u64", "i32"], returns: "i32" },
  lgetxattr: { args: ["cstring", "cstring", "ptr", "u64"], returns: "i32" },
  llistxattr: { args: ["cstring", "ptr", "u64"], returns: "i32" },
  lremovexattr: { args: ["cstring", "cstring"], returns: "i32" },
  fsetxattr: { args: ["i32", "cstring", "ptr", "u64", "i32"], returns: "i32" },
  fgetxattr: { args: ["i32", "cstring", "ptr", "u64"], returns: "i32" },
  flistxattr: { args: ["i32", "ptr", "u64"], returns: "i32" },
  // sockets
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  // processes
  execve: { args: ["cstring", "ptr", "ptr"], returns: "i32" },
  kill: { args: ["i32", "i32"], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  prlimit: { args: ["i32", "i32", "ptr", "ptr"], returns: "i32" },
  inotify_init1: { args: ["i32"], returns: "i32" },
  inotify_add_watch: { args: ["i32", "cstring", "u32"], returns: "i32" },
}).symbols;

/** System calls younger than the C libraries we meet; their numbers are the same on every architecture. */
const SYS = {
  pidfd_send_signal: 424,
  open_tree: 428,
  move_mount: 429,
  pidfd_open: 434,
  openat2: 437,
  mount_setattr: 442,
  fchmodat2: 452,
} as const;

const openat2Call = dlopen("libc.so.6", {
  syscall: { args: ["i32", "i32", "cstring", "ptr", "u64"], returns: "i32" },
}).symbols.syscall;

const fchmodat2Call = dlopen("libc.so.6", {
  syscall: { args: ["i32", "i32", "cstring", "u32", "i32"], returns: "i32" },
}).symbols.syscall;

const openTreeCall = dlopen("libc.so.6", {
  syscall: { args: ["i32", "i32", "cstring", "u32"], returns: "i32" },
}).symbols.syscall;

const moveMountCall = dlopen("libc.so.6", {
  syscall: { args: ["i32", "i32", "cstring", "i32", "cstring", "u32"], returns: "i32" },
}).symbols.syscall;

const mountSetattrCall = dlopen("libc.so.6", {
  syscall: { args: ["i32", "i32", "cstring", "u32", "ptr", "u64"], returns: "i32" },
}).symbols.syscall;

const numbersCall = dlopen("libc.so.6", {
  syscall: { args: ["i32", "i32", "i32", "ptr", "i32"], returns: "i32" },
}).symbols.syscall;

const openHow = new BigUint64Array(3);

/** `openat2(2)`; an fd, or -1 with errno set. */
export function openat2(
  directory: number,
  path: string | Uint8Array,
  { flags, mode = 0, resolve }: { flags: number; mode?: number; resolve: number },
): number {
  openHow[0] = BigInt(flags);
  openHow[1] = BigInt(mode);
  openHow[2] = BigInt(resolve);
  return openat2Call(SYS.openat2, directory, path, openHow, 24);
}

/** `fchmodat2(2)`, Linux 6.6; 0, or -1 with errno set. */
export function fchmodat2(directory: number, name: string | Uint8Array, mode: number, flags: number): number {
  return fchmodat2Call(SYS.fchmodat2, directory, name, mode, flags);
}

/** `open_tree(2)`, Linux 5.2; an fd, or -1 with errno set. */
export function openTree(directory: number, path: string | Uint8Array, flags: number): number {
  return openTreeCall(SYS.open_tree, directory, path, flags);
}

/** `move_mount(2)`, Linux 5.2, of the mount that is `from` itself onto what `to` itself is. */
export function moveMount(from: number, to: number, flags: number): number {
  return moveMountCall(SYS.move_mount, from, "", to, "", flags);
}

/** `mount_setattr(2)`, Linux 5.12, on the mount that `fd` itself is; `attributes` is a `struct mount_attr`. */
export function mountSetattr(fd: number, flags: number, attributes: BigUint64Array): number {
  return mountSetattrCall(SYS.mount_setattr, fd, "", flags, attributes, attributes.byteLength);
}

/** `pidfd_open(2)`; an fd (close-on-exec), or -1 with errno set. */
export function pidfdOpen(pid: number): number {
  return numbersCall(SYS.pidfd_open, pid, 0, null, 0);
}

/** `pidfd_send_signal(2)`; 0, or -1 with errno set. */
export function pidfdSendSignal(fd: number, signal: number): number {
  return numbersCall(SYS.pidfd_send_signal, fd, signal, null, 0);
}

const errnoAddress = Number(
  dlopen("libc.so.6", { __errno_location: { args: [], returns: "u64" } }).symbols.__errno_location(),
);

/** The errno of this thread's last failed call. Call it straight after that call. */
export function lastErrno(): number {
  return read.i32(errnoAddress, 0);
}

/**
 * `result` when it is not negative. @throws {SystemCallError} with errno otherwise. The arguments must be ready values:
 * nothing may run between the call and this check.
 */
export function check(result: number, call: string, path?: string): number {
  if (result < 0) throw new SystemCallError(call, lastErrno(), path);
  return result;
}

const EINVAL = errnoNumber("EINVAL");

/**
 * A path or name as the C library takes it. One with a NUL is refused: the kernel would see only what stands before it,
 * and so another file. @throws {SystemCallError} EINVAL.
 */
export function cPath(path: string, call: string): string | Uint8Array {
  if (path.includes("\0")) throw new SystemCallError(call, EINVAL, path);
  return path.isWellFormed() ? path : encodeName(`${path}\0`);
}
