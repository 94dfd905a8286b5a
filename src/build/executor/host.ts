/** What a build needs of the door to the kernel (`linux/`), no more; the engine hands in the real thing. */
export interface StepHost {
  mount(options: { readonly source: string; readonly target: string; readonly flags?: number }): void;
  unmount(target: string, flags?: number): void;
  /** The caller disposes. */
  openRoot(path: string): StepRoot;
}

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

export interface RootFile {
  readonly type: "file" | "directory" | "symlink" | "character" | "block" | "fifo" | "socket";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly links: number;
  readonly inode: bigint;
  /** The device the file lies on. */
  readonly device: DeviceNumber;
  /** Of a device node, which device it is. */
  readonly node: DeviceNumber;
}

/**
 * The only door to files below an untrusted root: paths are read as a process that lives in the root would read them,
 * and the last component is never followed unless a method says so.
 */
export interface StepRoot extends Disposable {
  /** Follows symlinks inside the root. The caller closes. */
  openFollowing(path: string, flags: number): number;
  /** A new file for writing. The caller closes. */
  createFile(path: string, mode: number): number;
  readFile(path: string, maxBytes: number): Uint8Array;
  mkdir(path: string, mode: number): void;
  /** Makes what is missing of `path`; what exists is left as it is. */
  mkdirAll(path: string, options: { mode: number; uid: number; gid: number }): void;
  symlink(target: string, path: string): void;
  link(existing: string, path: string): void;
  mknod(path: string, mode: number, device: DeviceNumber): void;
  unlink(path: string): void;
  rmdir(path: string): void;
  find(path: string, options?: { follow?: boolean }): RootFile | undefined;
  readlink(path: string): string;
  readdir(path: string): string[];
  chown(path: string, uid: number, gid: number): void;
  chmod(path: string, mode: number): void;
  utimes(path: string, mtimeNs: bigint): void;
  setXattr(path: string, name: string, value: Uint8Array): void;
  getXattr(path: string, name: string): Uint8Array | undefined;
  listXattrs(path: string): string[];
}

/** umount2(2): lets go of a mount though something in it is open. */
export const MNT_DETACH = 2;
/** mount(2). */
export const MS_BIND = 4096;
/** open(2): pins a file without opening it. */
export const O_PATH = 0o10000000;
