import { basename, dirname } from "node:path";
import { isErrno } from "#base/errors.ts";
import { check, cPath, libc, pidfdOpen, pidfdSendSignal } from "./_libc.ts";
import { O_CLOEXEC, O_DIRECTORY, O_PATH } from "./constants.ts";
import { errnoNumber, SystemCallError } from "./errno.ts";
import type { Pidfd, Processes, ResourceLimit, ResourceName } from "./kernel.ts";

const PR_SET_CHILD_SUBREAPER = 36;
const POLLIN = 1;

const RESOURCE: Readonly<Record<ResourceName, number>> = { core: 4, nproc: 6, nofile: 7, memlock: 8 };
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

export const realProcesses: Processes = {
  kill(pid, signal) {
    if (pid < 1) throw new SystemCallError("kill", errnoNumber("EINVAL"), String(pid));
    return unlessGone(() => check(libc.kill(pid, signal), "kill"));
  },

  isAlive(pid) {
    using pidfd = pid >= 1 ? realProcesses.openPidfd(pid) : undefined;
    return pidfd instanceof RealPidfd && !pidfd.hasExited();
  },

  openPidfd(pid) {
    try {
      return new RealPidfd(check(pidfdOpen(pid), "pidfd_open"));
    } catch (error) {
      if (isErrno(error, "ESRCH")) return undefined;
      throw error;
    }
  },

  becomeSubreaper() {
    check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl PR_SET_CHILD_SUBREAPER");
  },

  limit(name) {
    const found = new BigUint64Array(2);
    check(libc.prlimit(0, RESOURCE[name], null, found), "prlimit", name);
    return { soft: fromKernel(found[0]), hard: fromKernel(found[1]) };
  },

  setLimit(name, wanted) {
    const { hard: ceiling } = realProcesses.limit(name);
    try {
      setLimit(name, wanted);
    } catch (error) {
      // Raising the hard limit takes CAP_SYS_RESOURCE; raising the soft one up to it does not.
      if (!isErrno(error, "EPERM")) throw error;
      setLimit(name, { soft: Math.min(wanted.soft, ceiling), hard: ceiling });
    }
    return realProcesses.limit(name);
  },

  connectSeqpacket(path) {
    return connectSeqpacket(path);
  },
};

/**
 * Waiting is event-driven although Bun has no way to poll a foreign fd: `Bun.connect` takes it for a socket and puts it
 * into its epoll set; a pidfd becomes readable when its process ends, Bun's read then fails with ENOTSOCK, and `close`
 * is called. Bun closes its fd afterwards, so it is given one of its own.
 */
class RealPidfd implements Pidfd {
  #fd: number;
  #exited: Promise<void> | undefined;
  readonly #closed = new AbortController();

  constructor(fd: number) {
    this.#fd = fd;
  }

  exited(): Promise<void> {
    this.#exited ??= this.hasExited()
      ? Promise.resolve()
      : readable(duplicate(this.#open()), this.#closed.signal);
    return this.#exited;
  }

  /** A process that is dead but not yet reaped has exited, too. */
  hasExited(): boolean {
    const request = Int32Array.of(this.#open(), POLLIN);
    return check(libc.poll(request, 1, 0), "poll") > 0;
  }

  kill(signal: number): boolean {
    return unlessGone(() => check(pidfdSendSignal(this.#open(), signal), "pidfd_send_signal"));
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
    this.#closed.abort();
  }

  #open(): number {
    if (this.#fd < 0) throw new Error("Cannot use a process descriptor after it was closed");
    return this.#fd;
  }
}

/** Takes `fd` over, and resolves when it is readable; never, once `closed` has fired. */
function readable(fd: number, closed: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    Bun.connect({
      fd,
      socket: {
        data: () => undefined,
        error: () => undefined,
        close() {
          if (!closed.aborted) resolve();
        },
      },
    }).then((socket) => {
      closed.addEventListener("abort", () => socket.terminate(), { once: true });
    }, reject);
  });
}

const F_DUPFD_CLOEXEC = 1030;

function duplicate(fd: number): number {
  return check(libc.fcntl(fd, F_DUPFD_CLOEXEC, 0), "fcntl F_DUPFD_CLOEXEC");
}

function unlessGone(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (isErrno(error, "ESRCH")) return false;
    throw error;
  }
}

function fromKernel(limit: bigint | undefined): number {
  return limit === undefined || limit === RLIM_INFINITY ? Number.POSITIVE_INFINITY : Number(limit);
}

function toKernel(limit: number): bigint {
  return limit === Number.POSITIVE_INFINITY ? RLIM_INFINITY : BigInt(limit);
}

function setLimit(name: ResourceName, { soft, hard }: ResourceLimit): void {
  check(
    libc.prlimit(0, RESOURCE[name], BigUint64Array.of(toKernel(soft), toKernel(hard)), null),
    "prlimit",
    name,
  );
}

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** `sizeof(sun_path)`, its closing NUL included. */
const SUN_PATH_BYTES = 108;

function connectSeqpacket(path: string): number {
  if (Buffer.byteLength(cPath(path, "connect")) < SUN_PATH_BYTES) return connectTo(path, path);
  const directory = check(libc.open(dirname(path), O_PATH | O_DIRECTORY | O_CLOEXEC, 0), "open", path);
  try {
    return connectTo(`/proc/self/fd/${directory}/${basename(path)}`, path);
  } finally {
    libc.close(directory);
  }
}

function connectTo(address: string, path: string): number {
  // struct sockaddr_un: the family, then the path with its NUL.
  const bytes = Buffer.alloc(2 + SUN_PATH_BYTES);
  if (Buffer.byteLength(address) >= SUN_PATH_BYTES) {
    throw new SystemCallError("connect", errnoNumber("ENAMETOOLONG"), path);
  }
  bytes.writeUInt16LE(AF_UNIX, 0);
  bytes.write(address, 2);
  const fd = check(libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket", path);
  try {
    check(libc.connect(fd, bytes, bytes.length), "connect", path);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
