import type { RootDirectory } from "./root-directory.ts";

/**
 * The door to the kernel: what the rooms above may ask of Linux, in small groups, so that a consumer declares only the
 * group it needs. `real-kernel.ts` is the true one, `recording-kernel.ts` the fake for tests; `kernel.test.ts` runs one
 * suite against both. Every call is synchronous unless it returns a promise, and throws `SystemCallError` when the
 * kernel refuses.
 */
export interface Kernel extends Mounts, Namespaces, Files, Processes, Host {}

export interface MountOptions {
  readonly source: string;
  readonly target: string;
  readonly type?: string;
  /** `MS_*` of `constants.ts`. */
  readonly flags?: number;
  /** Options of the file system; less than a page (4096 bytes), or the call is refused with E2BIG. */
  readonly data?: string;
  /** The directory against which relative paths in `source` and `data` are read: keeps long lists of `lowerdir` short. */
  readonly cwd?: string;
}

/** One line of `/proc/self/mountinfo`. `proc_pid_mountinfo(5)`. */
export interface MountEntry {
  readonly id: number;
  readonly parentId: number;
  /** The directory of the file system that is mounted; `/` but for bind mounts. */
  readonly root: string;
  readonly target: string;
  readonly options: readonly string[];
  /** Propagation: `shared:1`, `master:2`, `unbindable`. */
  readonly tags: readonly string[];
  readonly type: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

export interface Mounts {
  mount(options: MountOptions): void;
  unmount(target: string, flags?: number): void;
  /** The mounts of our namespace, in mount order. */
  mounts(): MountEntry[];
}

export interface Namespaces {
  /** A new network namespace with `lo` up, kept alive by a bind mount at `path`, a file that must not exist yet. */
  createNetworkNamespace(path: string): void;
  /** Unmounts and removes `path`; success when it is gone already. */
  removeNetworkNamespace(path: string): void;
  /**
   * Runs `work` with this thread inside the namespace pinned at `path`. `work` must be synchronous and must not spawn;
   * calls do not nest.
   */
  inNetworkNamespace<T>(path: string, work: () => T): T;
}

export interface Files {
  /** Opens the door to the untrusted tree below `path`, which itself is trusted. The caller disposes. */
  openRoot(path: string): RootDirectory;
  /** `undefined` when the file has no such attribute. The last component is not followed. */
  getXattr(path: string, name: string): Uint8Array | undefined;
  setXattr(path: string, name: string, value: Uint8Array): void;
  listXattrs(path: string): string[];
  /** Makes the names in a directory durable. */
  fsyncDirectory(path: string): void;
  /** An exclusive lock on the file `path`, created if need be; `undefined` when another process holds it. */
  flock(path: string): Disposable | undefined;
}

/** A process held by its pidfd: the number can not come to mean another process. */
export interface Pidfd extends Disposable {
  /** Resolves when the process has ended, reaped or not; at once when it already has. Never, once this is disposed. */
  exited(): Promise<void>;
  /** False when the process is gone. */
  kill(signal: number): boolean;
}

export type ResourceName = "nofile" | "nproc" | "core" | "memlock";

export interface ResourceLimit {
  /** `Infinity` when there is none. */
  readonly soft: number;
  readonly hard: number;
}

export interface Processes {
  /** False when there is no such process. `pid` below 1 is refused with EINVAL: it would name a group. */
  kill(pid: number, signal: number): boolean;
  /** False for a process that has ended but is not reaped yet. */
  isAlive(pid: number): boolean;
  /** `undefined` when there is no such process. */
  openPidfd(pid: number): Pidfd | undefined;
  /** Orphaned descendants become our children, not those of process 1. */
  becomeSubreaper(): void;
  limit(name: ResourceName): ResourceLimit;
  /** Sets our own limit; the soft one is cut to the hard one where we may not raise it. Returns what now holds. */
  setLimit(name: ResourceName, wanted: ResourceLimit): ResourceLimit;
  /** A connected `SOCK_SEQPACKET` unix socket, non-blocking, close-on-exec; for `Bun.connect({ fd })`. */
  connectSeqpacket(path: string): number;
}

/** How the host's cgroup hierarchies are mounted: `hybrid` is v1 controllers beside a v2 tree. */
export type CgroupMode = "v1" | "v2" | "hybrid";

export interface Host {
  cgroupMode(): CgroupMode;
  /** Moves this process to the root of each cgroup hierarchy, so that containers do not inherit a shell's limits. */
  joinRootCgroups(): void;
  /** A setting below `/proc/sys`, such as `net.ipv4.ip_forward` (a `/` in a name stands for a dot in a component). */
  readSysctl(name: string): string;
  /** Writes only when the value differs. */
  writeSysctl(name: string, value: string): void;
}
