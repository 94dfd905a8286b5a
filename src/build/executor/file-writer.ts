import { EngineError } from "#base/errors.ts";
import { closeSync, constants, writeSync } from "node:fs";
import type { RootFile, StepRoot } from "./host.ts";
import { setXattrIfPossible } from "#store/layer/stored-xattrs.ts";
import type { TreeEntry } from "../context/source-tree.ts";
import { changeMode, type ModeChange } from "../graph/copy-operation.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What becomes of the attributes of files that are copied. */
export interface WriteOptions {
  /** Instead of the files' own owners. */
  readonly owner?: Owner;
  readonly chmod?: ModeChange;
}

/** A file to write: its attributes, and its bytes where it has some. */
export interface FileToWrite {
  readonly entry: Omit<TreeEntry, "path">;
  readonly content?: AsyncIterable<Uint8Array>;
}

const NO_DEVICE = { major: 0, minor: 0 };

/**
 * Writes files into a snapshot, in its root: nothing in it leads outside. Files replace files and links, directories
 * join directories, and neither replaces the other, as BuildKit has it.
 */
export class FileWriter {
  readonly #root: StepRoot;
  readonly #options: WriteOptions;
  readonly #linked = new Map<string, string>();
  /** Times of directories are set last: what is written into them changes them. */
  readonly #directoryTimes = new Map<string, bigint>();

  constructor(root: StepRoot, options: WriteOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Makes what is missing of a directory's path; links in it are followed. */
  ensureDirectory(path: string): void {
    this.#root.mkdirAll(path, { mode: 0o755, ...(this.#options.owner ?? { uid: 0, gid: 0 }) });
  }

  /** Writes one file; its directory must be there. */
  async write(path: string, file: FileToWrite): Promise<void> {
    const { entry } = file;
    const existing = this.#root.find(path);
    if (entry.type === "directory") return this.#directory(path, entry, existing);
    if (existing?.type === "directory") {
      throw new EngineError("invalid", `cannot replace to directory ${path} with file`);
    }
    if (existing !== undefined) this.#root.unlink(path);
    const first = entry.identity === undefined ? undefined : this.#linked.get(entry.identity);
    if (first !== undefined) return this.#root.link(first, path);
    await this.#create(path, file);
    this.#attributes(path, entry);
    if (entry.identity !== undefined) this.#linked.set(entry.identity, path);
  }

  /** A further name for a file that was written before. */
  link(existing: string, path: string): void {
    const found = this.#root.find(path);
    if (found?.type === "directory") {
      throw new EngineError("invalid", `cannot replace to directory ${path} with file`);
    }
    if (found !== undefined) this.#root.unlink(path);
    this.#root.link(existing, path);
  }

  finish(): void {
    for (const [path, mtimeNs] of [...this.#directoryTimes].toReversed()) this.#root.utimes(path, mtimeNs);
  }

  #directory(path: string, entry: FileToWrite["entry"], existing: RootFile | undefined): void {
    if (existing === undefined) this.#root.mkdir(path, 0o700);
    else if (existing.type !== "directory") {
      throw new EngineError("invalid", `cannot copy to non-directory: ${path}`, {
        hint: "copy to the directory itself when the path is a link to one",
      });
    }
    this.#attributes(path, entry);
    this.#directoryTimes.set(path, entry.mtimeNs);
  }

  async #create(path: string, { entry, content }: FileToWrite): Promise<void> {
    switch (entry.type) {
      case "file": {
        const fd = this.#root.createFile(path, 0o600);
        try {
          for await (const chunk of content ?? []) writeAll(fd, chunk);
        } finally {
          closeSync(fd);
        }
        return;
      }
      case "symlink":
        return this.#root.symlink(entry.linkName ?? "", path);
      case "fifo":
        return this.#root.mknod(path, constants.S_IFIFO | 0o600, NO_DEVICE);
      case "character":
        return this.#root.mknod(path, constants.S_IFCHR | 0o600, entry.device ?? NO_DEVICE);
      case "block":
        return this.#root.mknod(path, constants.S_IFBLK | 0o600, entry.device ?? NO_DEVICE);
      case "directory":
      case "socket":
        throw new Error(`a ${entry.type} was to be written as a file: ${path}`);
    }
  }

  /** The owner first: changing it takes set-id bits away. */
  #attributes(path: string, entry: FileToWrite["entry"]): void {
    const { uid, gid } = this.#options.owner ?? entry;
    this.#root.chown(path, uid, gid);
    if (entry.type !== "symlink") {
      const { chmod } = this.#options;
      this.#root.chmod(
        path,
        chmod === undefined ? entry.mode : changeMode(entry.mode, chmod, entry.type === "directory"),
      );
    }
    for (const [name, value] of entry.xattrs) {
      setXattrIfPossible(() => this.#root.setXattr(path, name, value));
    }
    if (entry.type !== "directory") this.#root.utimes(path, entry.mtimeNs);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let rest = bytes; rest.byteLength > 0; ) rest = rest.subarray(writeSync(fd, rest));
}
