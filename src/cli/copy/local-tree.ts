import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { EngineError, isErrno } from "#base/errors.ts";
import { quoted, type TarEntry } from "#oci/tar/tar-entry.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;
/** Descriptors of one path that are open at once. */
const MAX_DEPTH = 256;
const DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/**
 * A folder of this machine that files of a container are written into. The container chooses their names and links, so
 * no name is looked up twice: each directory on the way is opened from the one above without following links, and what
 * is made in it is named through its descriptor (`/proc/self/fd`). Nothing outside the folder is reached, not even when a
 * container that shares it swaps its names meanwhile.
 */
export class LocalTree implements Disposable {
  readonly #path: string;
  /** The open directories of the last path, the folder itself first. */
  readonly #chain: { readonly name: string; readonly fd: number }[];

  /** @throws {EngineError} not-found when it is not there */
  constructor(path: string) {
    this.#path = path;
    // The person's own path: links in it are theirs.
    this.#chain = [{ name: "", fd: openSync(path, O_RDONLY | O_DIRECTORY) }];
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#chain.splice(0)) closeSync(fd);
  }

  /** What is at the end of `components`; `undefined` when nothing is. */
  find(components: readonly string[]): "directory" | "symlink" | "other" | undefined {
    const stat = lstatSync(this.#at(components), { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    return stat.isDirectory() ? "directory" : stat.isSymbolicLink() ? "symlink" : "other";
  }

  mkdir(components: readonly string[]): void {
    mkdirSync(this.#at(components), { mode: 0o700 });
  }

  /** Removes anything but a directory. */
  unlink(components: readonly string[]): void {
    rmSync(this.#at(components));
  }

  symlink(target: string, components: readonly string[]): void {
    symlinkSync(target, this.#at(components));
  }

  /** A further name for a file. Neither name is followed should it be a link. */
  link(existing: readonly string[], components: readonly string[]): void {
    const folder = openSync(this.#at([...existing.slice(0, -1), "."]), DIRECTORY);
    try {
      linkSync(`/proc/self/fd/${folder}/${existing.at(-1) ?? "."}`, this.#at(components));
    } finally {
      closeSync(folder);
    }
  }

  /** A new file, open for writing. The caller closes. */
  create(components: readonly string[]): number {
    return openSync(this.#at(components), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  }

  /** Gives what is there the attributes of an entry; `keepsOwner` with its owner. */
  setAttributes(components: readonly string[], entry: TarEntry, keepsOwner: boolean): void {
    const path = this.#at(components);
    const seconds = Number(entry.mtimeNs) / 1e9;
    if (entry.type === "symlink") {
      if (keepsOwner) lchownSync(path, entry.uid, entry.gid);
      lutimesSync(path, seconds, seconds);
      return;
    }
    const fd = openSync(path, DIRECTORY);
    try {
      setFdAttributes(fd, entry, keepsOwner);
    } finally {
      closeSync(fd);
    }
  }

  /** The path of a name through the descriptor of the directory it lies in, which is made where it is missing. */
  #at(components: readonly string[]): string {
    const parents = components.slice(0, -1);
    if (parents.length > MAX_DEPTH) {
      throw new EngineError("invalid", `Cannot write into ${this.#path}: ${parents.length} folders deep`);
    }
    let shared = 0;
    while (shared < parents.length && this.#chain[shared + 1]?.name === parents[shared]) shared++;
    for (const { fd } of this.#chain.splice(shared + 1)) closeSync(fd);
    for (const name of parents.slice(shared)) this.#chain.push({ name, fd: this.#enter(name) });
    const name = components.at(-1);
    return name === undefined ? `${this.#top()}/.` : `${this.#top()}/${name}`;
  }

  #enter(name: string): number {
    const path = `${this.#top()}/${name}`;
    try {
      return openSync(path, DIRECTORY);
    } catch (error) {
      if (isErrno(error, "ELOOP", "ENOTDIR")) {
        throw new EngineError("invalid", `Cannot write below ${quoted(name)}: it is no directory`, {
          cause: error,
        });
      }
      if (!isErrno(error, "ENOENT")) throw error;
    }
    mkdirSync(path, { mode: 0o755 });
    return openSync(path, DIRECTORY);
  }

  #top(): string {
    return `/proc/self/fd/${this.#chain.at(-1)?.fd ?? -1}`;
  }
}

/**
 * The attributes of an open file. Set-id bits come along only with the owner they speak of: a file that runs as the
 * container's user must not come to run as ours.
 */
export function setFdAttributes(fd: number, entry: TarEntry, keepsOwner: boolean): void {
  if (keepsOwner) fchownSync(fd, entry.uid, entry.gid);
  fchmodSync(fd, keepsOwner ? entry.mode : entry.mode & 0o1777);
  const seconds = Number(entry.mtimeNs) / 1e9;
  futimesSync(fd, seconds, seconds);
}

/** Writes all of `bytes`. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
