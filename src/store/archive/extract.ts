import { EngineError, isErrno } from "#base/errors.ts";
import { O_DIRECTORY, O_PATH, S_IFBLK, S_IFCHR, S_IFIFO } from "#linux/constants.ts";
import {
  chmodFd,
  chownFd,
  closeFd,
  isOnReadOnlyMount,
  setXattrFd,
  utimesFd,
  writeFd,
} from "#linux/file-descriptor.ts";
import type { FileStat, RootDirectory } from "#linux/root-directory.ts";
import { DEFAULT_TAR_LIMITS, pathComponents, quoted, type TarEntry } from "#oci/tar/tar-entry.ts";
import { TarParser } from "#oci/tar/tar-parser.ts";
import { isStoredXattr, setXattrIfPossible } from "../layer/stored-xattrs.ts";

const NO_DEVICE = { major: 0, minor: 0 };
const IMPLIED = { mode: 0o755, uid: 0, gid: 0 };
/** How often a name is cleared again for a new file: somebody who makes it anew each time does not keep us for ever. */
const MAX_ATTEMPTS = 16;

export interface ExtractOptions {
  /** Resolved: the directory to extract into, without symlinks. */
  readonly directory: string;
  /** Instead of the owners that the archive has. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly refusesTypeChange: boolean;
  /** An entry for the top gives the directory its attributes; else it stays as it is. */
  readonly describesTop: boolean;
}

/** Whether the kernel lets nobody write into the directory, because of how it is mounted. */
export function isReadOnly(root: RootDirectory, directory: string): boolean {
  const fd = root.openFollowing(directory || ".", O_PATH | O_DIRECTORY);
  try {
    return isOnReadOnlyMount(fd);
  } finally {
    closeFd(fd);
  }
}

/**
 * Extracts a plain tar, handed in piece by piece.
 *
 * @throws {EngineError} invalid for a broken or hostile archive, and in Docker's words; unavailable when the disk is full
 */
export function extractTar(root: RootDirectory, chunks: Iterable<Uint8Array>, options: ExtractOptions): void {
  using extraction = new Extraction(root, options);
  const parser = new TarParser(DEFAULT_TAR_LIMITS);
  for (const chunk of chunks) {
    parser.push(chunk);
    for (let event = parser.next(); event !== undefined; event = parser.next()) {
      if (event.kind === "entry") extraction.begin(event.entry);
      else if (event.kind === "data") extraction.write(event.bytes);
      else extraction.end();
    }
  }
  parser.finish();
  extraction.finish();
}

/**
 * Entries of an archive taking shape in a container, as `docker cp` has it: files replace what has their name, directories
 * join those that are there and give them their attributes. Nothing that exists is opened for writing, and every name is
 * resolved inside the root, whatever the container does to it meanwhile.
 */
class Extraction implements Disposable {
  readonly #root: RootDirectory;
  readonly #options: ExtractOptions;
  /** Times of directories are set last: what is written into them changes them. */
  readonly #times = new Map<string, bigint>();
  #parent: string | undefined;
  #file: { readonly entry: TarEntry; readonly fd: number } | undefined;

  constructor(root: RootDirectory, options: ExtractOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Starts an entry. Its content follows by `write`, its end by `end`. @throws {EngineError} invalid, unavailable */
  begin(entry: TarEntry): void {
    explained(entry, () => this.#begin(entry));
  }

  write(bytes: Uint8Array): void {
    const file = this.#file;
    if (file !== undefined) explained(file.entry, () => writeFd(file.fd, bytes));
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    explained(file.entry, () => {
      try {
        // Owner first: changing it clears set-id bits and capabilities. Time last: all else changes it.
        const { uid, gid } = this.#options.owner ?? file.entry;
        chownFd(file.fd, uid, gid);
        chmodFd(file.fd, file.entry.mode);
        for (const [name, value] of xattrsOf(file.entry)) {
          setXattrIfPossible(() => setXattrFd(file.fd, name, value));
        }
        utimesFd(file.fd, file.entry.mtimeNs);
      } finally {
        closeFd(file.fd);
      }
    });
  }

  /** Closes what an archive cut short left open. */
  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeFd(this.#file.fd);
    this.#file = undefined;
  }

  finish(): void {
    for (const [path, mtimeNs] of [...this.#times].toReversed()) {
      ignoringGone(() => this.#root.utimes(path, mtimeNs));
    }
  }

  #begin(entry: TarEntry): void {
    const components = pathComponents(entry.path);
    const name = components.pop();
    if (name === undefined) return this.#atTop(entry);
    const parent = [this.#options.directory, ...components].filter(Boolean).join("/");
    this.#ensure(parent);
    const path = parent === "" ? name : `${parent}/${name}`;
    if (entry.type === "directory") return this.#directory(entry, path);
    if (entry.type === "file") {
      this.#file = { entry, fd: this.#make(entry, path, () => this.#root.createFile(path, 0o600)) };
      return;
    }
    this.#make(entry, path, () => this.#node(entry, path));
    if (entry.type !== "hardlink") this.#attributes(entry, path);
  }

  #atTop(entry: TarEntry): void {
    const { describesTop, directory } = this.#options;
    const path = directory || ".";
    if (entry.type === "directory") {
      if (!describesTop) return;
      this.#attributes(entry, path);
      this.#times.set(path, entry.mtimeNs);
      return;
    }
    throw new EngineError("invalid", `cannot overwrite directory "." with non-directory "${entry.path}"`);
  }

  #ensure(parent: string): void {
    if (parent === this.#parent) return;
    this.#root.mkdirAll(parent || ".", IMPLIED);
    this.#parent = parent;
  }

  #directory(entry: TarEntry, path: string): void {
    const found = this.#root.find(path);
    if (found?.type !== "directory") {
      if (found !== undefined && this.#options.refusesTypeChange) {
        throw new EngineError(
          "invalid",
          `cannot overwrite non-directory "/${path}" with directory ${quoted(entry.path)}`,
        );
      }
      this.#make(entry, path, () => this.#root.mkdir(path, 0o700));
    }
    this.#attributes(entry, path);
    this.#times.set(path, entry.mtimeNs);
  }

  #node(entry: TarEntry, path: string): void {
    switch (entry.type) {
      case "symlink":
        return this.#root.symlink(entry.linkName ?? "", path);
      case "fifo":
        return this.#root.mknod(path, S_IFIFO | 0o600, NO_DEVICE);
      case "character":
        return this.#root.mknod(path, S_IFCHR | 0o600, entry.device ?? NO_DEVICE);
      case "block":
        return this.#root.mknod(path, S_IFBLK | 0o600, entry.device ?? NO_DEVICE);
      case "hardlink":
        return this.#root.link(this.#linkTarget(entry), path);
      case "file":
      case "directory":
        throw new Error(`a ${entry.type} is not made in one call`);
    }
  }

  #linkTarget(entry: TarEntry): string {
    const components = pathComponents(entry.linkName ?? "");
    const target = [this.#options.directory, ...components].filter(Boolean).join("/");
    const found = this.#root.find(target || ".");
    if (found !== undefined && found.type !== "directory") return target;
    throw new EngineError(
      "invalid",
      `Cannot extract ${quoted(entry.path)}: it links to ${quoted(entry.linkName ?? "")}, which is no file`,
    );
  }

  /** Runs `make`, which makes `path`; what has the name goes first. */
  #make<T>(entry: TarEntry, path: string, make: () => T): T {
    for (let attempt = 1; ; attempt++) {
      try {
        return make();
      } catch (error) {
        if (isErrno(error, "ENOENT") && attempt === 1) {
          // The parent that was there a moment ago is gone.
          this.#parent = undefined;
          this.#ensure(path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "");
          continue;
        }
        if (!isErrno(error, "EEXIST") || attempt === MAX_ATTEMPTS) throw error;
      }
      this.#clear(entry, path, this.#root.find(path));
    }
  }

  #clear(entry: TarEntry, path: string, found: FileStat | undefined): void {
    if (found?.type === "directory" && entry.type !== "directory" && this.#options.refusesTypeChange) {
      throw new EngineError(
        "invalid",
        `cannot overwrite directory "/${path}" with non-directory ${quoted(entry.path)}`,
      );
    }
    this.#root.removeTree(path);
    this.#parent = undefined;
    for (const known of this.#times.keys()) {
      if (known === path || known.startsWith(`${path}/`)) this.#times.delete(known);
    }
  }

  #attributes(entry: TarEntry, path: string): void {
    const { uid, gid } = this.#options.owner ?? entry;
    this.#root.chown(path, uid, gid);
    if (entry.type !== "symlink") this.#root.chmod(path, entry.mode);
    for (const [name, value] of xattrsOf(entry)) {
      setXattrIfPossible(() => this.#root.setXattr(path, name, value));
    }
    if (entry.type !== "directory") this.#root.utimes(path, entry.mtimeNs);
  }
}

function xattrsOf({ xattrs }: TarEntry): [string, Uint8Array][] {
  return [...xattrs].filter(([name]) => isStoredXattr(name));
}

function ignoringGone(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error;
  }
}

/** Runs `work`; what the kernel refuses is said of the entry it was for. */
function explained(entry: TarEntry, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error) || EngineError.is(error) || !("errno" in error)) throw error;
    if (isErrno(error, "ENOSPC", "EDQUOT")) {
      throw new EngineError("unavailable", `Cannot extract ${quoted(entry.path)}: the disk is full`, {
        cause: error,
      });
    }
    throw new EngineError("invalid", `Cannot extract ${quoted(entry.path)}: ${error.message}`, {
      cause: error,
    });
  }
}
