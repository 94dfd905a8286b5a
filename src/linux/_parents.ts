import { check, cPath, lastErrno, libc, openat2 } from "./_libc.ts";
import { O_CLOEXEC, O_DIRECTORY, O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from "./constants.ts";
import { errnoNumber, SystemCallError } from "./errno.ts";

const IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

const EAGAIN = errnoNumber("EAGAIN");

/**
 * With `..` in a path the kernel answers EAGAIN when anything on the machine is renamed meanwhile, as it can not then
 * tell whether the walk left the root. A racer who renames in a loop gets us an error, not an escape.
 */
const MAX_ATTEMPTS = 256;

const MAX_CACHED = 32;

/** A name in a pinned directory. `"."` stands for the directory itself; never `..`, empty, or with a slash. */
export interface Located {
  readonly fd: number;
  readonly name: string | Uint8Array;
}

/**
 * Resolves the parents of paths below a root, and keeps the last few open: unpacking makes many names in one directory.
 * A cached fd is a pinned inode, so a name swapped for a symlink can not redirect it; it is only stale then, which is
 * why everything that removes or moves a name calls `forget`.
 */
export class Parents implements Disposable {
  readonly #root: number;
  readonly #cache = new Map<string, number>();
  #lastPath: string | undefined;
  #lastFd = -1;

  /** Takes `root`, an fd, over. */
  constructor(root: number) {
    this.#root = root;
  }

  /** Where `path` lies. The fd belongs to this object: use it before the next-but-one call. */
  locate(path: string): Located {
    const { parent, name } = split(path);
    return { fd: this.#directory(parent, path), name: name === "." ? name : cPath(name, "open") };
  }

  /** `openat2` from the root, symlinks followed inside it, the last one too unless `flags` say O_NOFOLLOW. */
  open(path: string, flags: number, mode = 0): number {
    const text = cPath(path === "" ? "." : path, "openat2");
    for (let attempt = 1; ; attempt += 1) {
      const fd = openat2(this.#root, text, { flags: flags | O_CLOEXEC, mode, resolve: IN_ROOT });
      if (fd >= 0) return fd;
      const errno = lastErrno();
      if (errno !== EAGAIN || attempt === MAX_ATTEMPTS) throw new SystemCallError("openat2", errno, path);
    }
  }

  /** Drops every cached directory. */
  forget(): void {
    for (const fd of this.#cache.values()) libc.close(fd);
    this.#cache.clear();
    this.#lastPath = undefined;
  }

  [Symbol.dispose](): void {
    this.forget();
    check(libc.close(this.#root), "close");
  }

  #directory(path: string, wanted: string): number {
    if (path === "") return this.#root;
    if (path === this.#lastPath) return this.#lastFd;
    const fd = this.#cache.get(path) ?? this.#openDirectory(path, wanted);
    // Most recent last, so that the directory of the call before is not the one that makes room.
    this.#cache.delete(path);
    this.#cache.set(path, fd);
    this.#lastPath = path;
    this.#lastFd = fd;
    return fd;
  }

  #openDirectory(path: string, wanted: string): number {
    const fd = this.#openFor(path, wanted);
    const [oldest] = this.#cache;
    if (oldest !== undefined && this.#cache.size >= MAX_CACHED) {
      this.#cache.delete(oldest[0]);
      libc.close(oldest[1]);
    }
    return fd;
  }

  #openFor(path: string, wanted: string): number {
    try {
      return this.open(path, O_PATH | O_DIRECTORY);
    } catch (error) {
      // The caller knows the whole path.
      if (error instanceof SystemCallError) throw new SystemCallError(error.call, error.errno, wanted);
      throw error;
    }
  }
}

/** A path's parent and last name. A path that ends in no name (`/`, `a/..`) is its own parent, and its name `"."`. */
function split(path: string): { parent: string; name: string } {
  let end = path.length;
  while (end > 0 && path.charCodeAt(end - 1) === SLASH) end -= 1;
  const slash = path.lastIndexOf("/", end - 1);
  const name = end === 0 ? "" : path.slice(slash + 1, end);
  if (name === "") return { parent: "", name: "." };
  if (name === "." || name === "..") return { parent: path.slice(0, end), name: "." };
  return { parent: slash < 0 ? "" : path.slice(0, slash), name };
}

const SLASH = 0x2f;
