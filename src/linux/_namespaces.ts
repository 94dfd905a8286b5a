import { isErrno } from "#base/errors.ts";
import { check, cPath, libc } from "./_libc.ts";
import { realMounts } from "./_mounts.ts";
import {
  AT_FDCWD,
  CLONE_NEWNET,
  MNT_DETACH,
  MS_BIND,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
} from "./constants.ts";
import type { Namespaces } from "./kernel.ts";

/**
 * Network namespaces belong to threads: `unshare` and `setns` move the JavaScript thread alone, and every block here
 * moves it back before other JavaScript can run. A thread that Bun starts meanwhile (a compiler or collector thread)
 * is born inside and keeps the namespace alive until it idles out; it never uses the network.
 */
const THREAD_NAMESPACE = "/proc/thread-self/ns/net";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;

export const realNamespaces: Namespaces = {
  createNetworkNamespace(path) {
    const flags = O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    libc.close(check(libc.open(cPath(path, "open"), flags, 0o444), "open", path));
    try {
      elsewhere(
        () => check(libc.unshare(CLONE_NEWNET), "unshare", path),
        () => {
          bringLoopbackUp();
          realMounts.mount({ source: THREAD_NAMESPACE, target: path, flags: MS_BIND });
        },
      );
    } catch (error) {
      libc.unlinkat(AT_FDCWD, path, 0);
      throw error;
    }
  },

  removeNetworkNamespace(path) {
    // EINVAL: a file on which nothing is mounted, left by a crash between the two steps of creation.
    ignoring(["EINVAL", "ENOENT"], () => realMounts.unmount(path, MNT_DETACH));
    ignoring(["ENOENT"], () => check(libc.unlinkat(AT_FDCWD, path, 0), "unlink", path));
  },

  inNetworkNamespace(path, work) {
    const fd = check(libc.open(cPath(path, "open"), O_RDONLY | O_CLOEXEC, 0), "open", path);
    try {
      return elsewhere(() => check(libc.setns(fd, CLONE_NEWNET), "setns", path), work);
    } finally {
      libc.close(fd);
    }
  },
};

/** The host's namespace, opened before the first move and kept. */
let host: number | undefined;
let isElsewhere = false;

function elsewhere<T>(move: () => void, work: () => T): T {
  if (isElsewhere) throw new Error("Cannot enter a network namespace from within another");
  host ??= check(libc.open(THREAD_NAMESPACE, O_RDONLY | O_CLOEXEC, 0), "open", THREAD_NAMESPACE);
  move();
  isElsewhere = true;
  try {
    const result = work();
    if (result instanceof Promise) throw new Error("Work in a network namespace must be synchronous");
    return result;
  } finally {
    comeBack(host);
  }
}

/** An engine in the wrong namespace would act on a container's network as if it were the host's: it must not live on. */
function comeBack(to: number): void {
  if (libc.setns(to, CLONE_NEWNET) !== 0) process.abort();
  isElsewhere = false;
}

function bringLoopbackUp(): void {
  const fd = check(libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  try {
    // struct ifreq: name[16], then the flags.
    const request = Buffer.alloc(40);
    request.write("lo");
    request.writeInt16LE(IFF_UP, 16);
    check(libc.ioctl(fd, SIOCSIFFLAGS, request), "ioctl SIOCSIFFLAGS", "lo");
  } finally {
    libc.close(fd);
  }
}

function ignoring(codes: readonly string[], work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isErrno(error, ...codes)) throw error;
  }
}
