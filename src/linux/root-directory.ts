export type FileType = "file" | "directory" | "symlink" | "character" | "block" | "fifo" | "socket";

export interface FileStat {
  readonly type: FileType;
  /** Permission bits with set-id and sticky, without the type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly links: number;
  readonly inode: bigint;
  /** The device the file lies on; with `inode`, which file it is. */
  readonly device: DeviceNumber;
  /** For device nodes, which device it is. */
  readonly node: DeviceNumber;
  /** What it takes up on disk, in units of 512 bytes. */
  readonly blocks: number;
}

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/**
 * The only door to paths below an untrusted root. Paths are read as a process that lives in the root would read them: a
 * leading `/` and `..` stop at the root, absolute symlinks begin at the root, magic links are refused (ELOOP). The parent
 * is resolved by `openat2` with RESOLVE_IN_ROOT and pinned as an fd, and the call is made on that fd, so that a symlink
 * swapped in meanwhile redirects nothing. The last component is never followed unless a method says so.
 *
 * Modes given to calls that create are subject to the process umask, as the kernel's own are.
 */
export interface RootDirectory extends Disposable {
  /** The root as the host names it. For messages; building paths from it would by-pass the door. */
  readonly path: string;

  /** Opens without following the last component. The caller closes. `flags` are `O_*`; O_CLOEXEC is added. */
  open(path: string, flags: number, mode?: number): number;
  /** As `open`, but symlinks are followed to their end, inside the root. */
  openFollowing(path: string, flags: number, mode?: number): number;
  /** The directory that holds `path`, pinned (`O_PATH`), and the name in it (`"."` for the root). The caller closes. */
  openParent(path: string): { fd: number; name: string };
  /**
   * A regular file for reading, the last component not followed; `undefined` when it is anything else. Neither a device
   * nor a FIFO is touched, whatever takes the file's place meanwhile. The caller closes.
   */
  openRegular(path: string): number | undefined;
  /** A new file for writing; EEXIST when anything has that name. The caller closes. */
  createFile(path: string, mode: number): number;
  /** The bytes of a regular file, symlinks followed inside the root. EFBIG above `maxBytes`, EINVAL when not a file. */
  readFile(path: string, maxBytes: number): Uint8Array;

  mkdir(path: string, mode: number): void;
  /** Makes what is missing of `path`; what exists is left as it is. The last component is followed. */
  mkdirAll(path: string, options: { mode: number; uid: number; gid: number }): void;
  symlink(target: string, path: string): void;
  /** A hard link `path` to `existing`, which is resolved inside the root and, if a symlink, linked itself. */
  link(existing: string, path: string): void;
  mknod(path: string, mode: number, device: DeviceNumber): void;
  /** Removes anything but a directory. */
  unlink(path: string): void;
  /** Removes an empty directory. */
  rmdir(path: string): void;
  /** Removes `path` and all below it; success when it is absent. Refuses with EXDEV before entering a mount. */
  removeTree(path: string): void;
  rename(from: string, to: string): void;

  /** @throws {SystemCallError} ENOENT when absent. */
  stat(path: string, options?: { follow?: boolean }): FileStat;
  /** As `stat`, but `undefined` when there is no such path. */
  find(path: string, options?: { follow?: boolean }): FileStat | undefined;
  readlink(path: string): string;
  /** The names in a directory, without `.` and `..`, unordered. The last component is not followed. */
  readdir(path: string): string[];

  chown(path: string, uid: number, gid: number): void;
  /** EOPNOTSUPP for a symlink, which has no mode. */
  chmod(path: string, mode: number): void;
  /** Sets access and modification time. */
  utimes(path: string, mtimeNs: bigint): void;
  setXattr(path: string, name: string, value: Uint8Array): void;
  getXattr(path: string, name: string): Uint8Array | undefined;
  listXattrs(path: string): string[];
}
