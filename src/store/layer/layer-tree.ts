import { EngineError, isErrno } from "#base/errors.ts";
import { S_IFBLK, S_IFCHR, S_IFIFO } from "#linux/constants.ts";
import { chmodFd, chownFd, closeFd, setXattrFd, utimesFd, writeFd } from "#linux/file-descriptor.ts";
import type { FileStat, RootDirectory } from "#linux/root-directory.ts";
import { DEFAULT_TAR_LIMITS, pathComponents, quoted, type TarEntry } from "#oci/tar/tar-entry.ts";
import { parseWhiteout } from "#oci/tar/whiteout.ts";
import { isWhiteout, makeOpaque, makeWhiteout } from "./overlay-form.ts";
import { ParentDirectories } from "./parent-directories.ts";
import type { Pending } from "./pending.ts";
import { isStoredXattr, setXattrIfPossible } from "./stored-xattrs.ts";

/** Bytes of paths kept until the end of a layer; an archive that asks for more is a bomb. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;

/** Steps spent on forgetting directories that the same layer replaces; no honest layer comes near. */
const MAX_SCANNED = 50_000_000;

/** Of every file system that overlayfs is used on. */
const BLOCK_BYTES = 4096;

interface OpenFile {
  readonly entry: TarEntry;
  readonly fd: number;
}

/**
 * A layer taking shape in a directory of its own, in overlay form, from entries handed in one after another. It needs no
 * parent, so layers are unpacked in any order; what only the parent could tell is returned by `finish` for `settle`.
 *
 * Within one layer a later entry replaces an earlier one of its path, and whiteouts act on the layers below wherever they
 * stand (OCI image-spec, layer.md#whiteouts). Every call goes through `RootDirectory`: nothing outside can be reached.
 */
export class LayerTree {
  readonly #root: RootDirectory;
  readonly #parents: ParentDirectories;
  readonly #directoryTimes = new Map<string, bigint>();
  /** Links to what this layer has not: where they will be, as an empty file until then, and what they name. */
  readonly #links = new Map<string, string>();
  #file: OpenFile | undefined;
  #keptBytes = 0;
  #sizeBytes = 0;
  #scanned = 0;

  constructor(root: RootDirectory, maxNodes: number = DEFAULT_TAR_LIMITS.maxEntries) {
    this.#root = root;
    this.#parents = new ParentDirectories(root, maxNodes);
  }

  /** What the layer takes on disk, as `du` counts: whole blocks of files and directories. */
  get sizeBytes(): number {
    return this.#sizeBytes + this.#parents.made * BLOCK_BYTES;
  }

  /** Starts an entry. Its content follows by `write`, its end by `end`. @throws {EngineError} invalid, unavailable (disk full) */
  begin(entry: TarEntry): void {
    explained(entry, () => this.#begin(entry));
  }

  write(bytes: Uint8Array): void {
    const file = this.#file;
    if (file === undefined) return;
    explained(file.entry, () => writeFd(file.fd, bytes));
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    explained(file.entry, () => {
      // Owner first: changing it clears set-id bits and capabilities. Time last: all else changes it.
      chownFd(file.fd, file.entry.uid, file.entry.gid);
      chmodFd(file.fd, file.entry.mode);
      for (const [name, value] of file.entry.xattrs) {
        if (isStoredXattr(name)) setXattrIfPossible(() => setXattrFd(file.fd, name, value));
      }
      utimesFd(file.fd, file.entry.mtimeNs);
    });
    this.#sizeBytes += wholeBlocks(file.entry.size);
    this.close();
  }

  /** Sets the times of directories, which everything made in them has changed, and says what is left to settle. */
  finish(): Pending {
    for (const [path, mtimeNs] of this.#directoryTimes) this.#root.utimes(path || ".", mtimeNs);
    const links = [...this.#links].map(([path, target]) => ({ path, target }));
    return { directories: [...this.#parents.implied].sort(), links };
  }

  /** Closes what an entry cut short left open. */
  close(): void {
    if (this.#file === undefined) return;
    const { fd } = this.#file;
    this.#file = undefined;
    closeFd(fd);
  }

  #begin(entry: TarEntry): void {
    const components = pathComponents(entry.path);
    const name = components.pop();
    if (name === undefined) return this.#atRoot(entry);
    const outer = components.find((component) => parseWhiteout(component) !== undefined);
    if (outer !== undefined) {
      if (parseWhiteout(outer)?.kind === "ignored") return;
      throw new EngineError("invalid", `Cannot unpack ${quoted(entry.path)}: it lies inside a whiteout`);
    }
    const whiteout = parseWhiteout(name);
    if (whiteout?.kind === "ignored") return;
    const parent = this.#parents.ensure(components);
    if (whiteout?.kind === "opaque") return makeOpaque(this.#root, parent);
    if (whiteout?.kind === "remove") return this.#remove(join(parent, whiteout.name));
    this.#place(entry, join(parent, name));
  }

  #atRoot(entry: TarEntry): void {
    if (entry.type !== "directory") {
      throw new EngineError(
        "invalid",
        `Cannot unpack ${quoted(entry.path)}: it would replace the root by a ${entry.type}`,
      );
    }
    this.#finishDirectory(entry, "");
  }

  /** Hides `path` of the layers below, and leaves what this layer has there. */
  #remove(path: string): void {
    const found = this.#root.find(path);
    if (found === undefined) makeWhiteout(this.#root, path);
    if (found?.type !== "directory") return;
    makeOpaque(this.#root, path);
    this.#parents.implied.delete(path);
  }

  #place(entry: TarEntry, path: string): void {
    switch (entry.type) {
      case "directory":
        return this.#directory(entry, path);
      case "hardlink":
        return this.#link(entry, path);
      case "file":
        this.#file = { entry, fd: this.#make(path, () => this.#root.createFile(path, 0o600)) };
        return;
      case "symlink":
        this.#make(path, () => this.#root.symlink(entry.linkName ?? "", path));
        break;
      case "fifo":
        this.#make(path, () => this.#root.mknod(path, S_IFIFO | 0o600, { major: 0, minor: 0 }));
        break;
      case "character":
      case "block":
        this.#make(path, () => this.#device(entry, path));
        break;
    }
    this.#finishNode(entry, path);
  }

  /** Runs `make`, which makes `path`; what an earlier entry has put there goes first. Asking beforehand costs more. */
  #make<T>(path: string, make: () => T): T {
    this.#parents.count();
    try {
      return make();
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
    this.#drop(path, this.#root.stat(path));
    return make();
  }

  #directory(entry: TarEntry, path: string): void {
    this.#parents.count();
    try {
      this.#root.mkdir(path, 0o700);
      this.#sizeBytes += BLOCK_BYTES;
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      const found = this.#root.stat(path);
      if (found.type !== "directory") {
        this.#drop(path, found);
        this.#root.mkdir(path, 0o700);
        // What stood here hid the directory of the layers below; the new one must hide it still.
        makeOpaque(this.#root, path);
      }
    }
    this.#finishDirectory(entry, path);
  }

  #device(entry: TarEntry, path: string): void {
    const device = entry.device ?? { major: 0, minor: 0 };
    this.#root.mknod(path, (entry.type === "block" ? S_IFBLK : S_IFCHR) | 0o600, device);
  }

  #link(entry: TarEntry, path: string): void {
    const components = pathComponents(entry.linkName ?? "");
    const name = components.pop();
    const parent = name === undefined ? undefined : this.#parents.find(components);
    const target = name === undefined || parent === undefined ? undefined : join(parent, name);
    if (target === path) return;
    const found = target === undefined ? undefined : this.#root.find(target);
    if (found !== undefined && (found.type === "directory" || isWhiteout(found))) {
      throw new EngineError(
        "invalid",
        `Cannot unpack ${quoted(entry.path)}: it links to ${quoted(entry.linkName ?? "")}, which is no file`,
      );
    }
    const elsewhere = target === undefined ? undefined : this.#links.get(target);
    if (target !== undefined && found !== undefined && elsewhere === undefined)
      this.#make(path, () => this.#root.link(target, path));
    else this.#keep(path, elsewhere ?? [...components, name ?? ""].join("/"));
  }

  #keep(path: string, target: string): void {
    this.#count(path.length + target.length);
    closeFd(this.#make(path, () => this.#root.createFile(path, 0o600)));
    this.#links.set(path, target);
  }

  #finishDirectory(entry: TarEntry, path: string): void {
    const place = path || ".";
    this.#root.chown(place, entry.uid, entry.gid);
    this.#root.chmod(place, entry.mode);
    this.#setXattrs(entry, place);
    if (!this.#directoryTimes.has(path)) this.#count(path.length);
    this.#directoryTimes.set(path, entry.mtimeNs);
    this.#parents.implied.delete(path);
  }

  #finishNode(entry: TarEntry, path: string): void {
    this.#root.chown(path, entry.uid, entry.gid);
    if (entry.type !== "symlink") this.#root.chmod(path, entry.mode);
    this.#setXattrs(entry, path);
    this.#root.utimes(path, entry.mtimeNs);
  }

  #setXattrs(entry: TarEntry, path: string): void {
    for (const [name, value] of entry.xattrs) {
      if (isStoredXattr(name)) setXattrIfPossible(() => this.#root.setXattr(path, name, value));
    }
  }

  /** Removes what an earlier entry of this layer has put at `path`. */
  #drop(path: string, found: FileStat): void {
    this.#root.removeTree(path);
    this.#links.delete(path);
    if (found.type === "symlink") this.#parents.forgetPaths();
    if (found.type !== "directory") return;
    this.#parents.forget(path);
    this.#scanned += this.#directoryTimes.size + this.#links.size;
    if (this.#scanned > MAX_SCANNED) {
      throw new EngineError(
        "invalid",
        "Cannot unpack the layer: it replaces its own directories again and again",
      );
    }
    for (const kept of [this.#directoryTimes, this.#links]) {
      for (const known of kept.keys()) if (known === path || known.startsWith(`${path}/`)) kept.delete(known);
    }
  }

  #count(bytes: number): void {
    this.#keptBytes += bytes;
    if (this.#keptBytes > MAX_KEPT_BYTES) {
      throw new EngineError(
        "invalid",
        "Cannot unpack the layer: the names of its directories fill more than 256 MiB",
      );
    }
  }
}

function wholeBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

function join(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}

/** Runs `work`; what the kernel refuses is said of the entry it was for. */
function explained(entry: TarEntry, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error) || EngineError.is(error)) throw error;
    if (isErrno(error, "ENOSPC", "EDQUOT")) {
      throw new EngineError("unavailable", `Cannot unpack ${quoted(entry.path)}: the disk is full`, {
        cause: error,
      });
    }
    if (!("errno" in error)) throw error;
    throw new EngineError("invalid", `Cannot unpack ${quoted(entry.path)}: ${error.message}`, {
      cause: error,
    });
  }
}
