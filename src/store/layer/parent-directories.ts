import { EngineError } from "#base/errors.ts";
import type { RootDirectory } from "#linux/root-directory.ts";
import { quoted } from "#oci/tar/tar-entry.ts";
import { isWhiteout, makeOpaque } from "./overlay-form.ts";

/** As the kernel's own limit. `path_resolution(7)`. */
const MAX_SYMLINKS = 40;

/**
 * Finds, and makes where missing, the directories that entries lie in. Symlinks of the layer are followed inside its
 * root; the path returned has none, so that what is known about it stays true until something is removed.
 */
export class ParentDirectories {
  /** Directories that no entry has described so far: the parent layer may know their owner and mode. The root is `""`. */
  readonly implied = new Set<string>([""]);
  readonly #root: RootDirectory;
  readonly #maxNodes: number;
  readonly #known = new Map<string, string>();
  #nodes = 0;
  #made = 0;

  constructor(root: RootDirectory, maxNodes: number) {
    this.#root = root;
    this.#maxNodes = maxNodes;
  }

  /** How many directories were made because something lies in them. */
  get made(): number {
    return this.#made;
  }

  /** The directory `components` lead to, `""` for the root, made where it is missing. @throws {EngineError} invalid */
  ensure(components: readonly string[]): string {
    return this.#resolve(components, true) ?? "";
  }

  /** As `ensure`, but `undefined` when it is not there. */
  find(components: readonly string[]): string | undefined {
    return this.#resolve(components, false);
  }

  /** Counts something made. @throws {EngineError} invalid beyond the limit */
  count(): void {
    this.#nodes++;
    if (this.#nodes > this.#maxNodes) {
      throw new EngineError("invalid", `Cannot unpack the layer: it makes more than ${this.#maxNodes} files`);
    }
  }

  /** Says that a symlink has changed: what was known may lead elsewhere now. */
  forgetPaths(): void {
    this.#known.clear();
  }

  /** Says that `path` and all below it are gone. */
  forget(path: string): void {
    this.#known.clear();
    for (const directory of this.implied) {
      if (directory === path || directory.startsWith(`${path}/`)) this.implied.delete(directory);
    }
  }

  #resolve(components: readonly string[], isMade: boolean): string | undefined {
    const key = components.join("/");
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#walk({ at: [], components, isMade, symlinks: 0 })?.join("/");
    if (found !== undefined) this.#known.set(key, found);
    return found;
  }

  #walk(step: {
    at: readonly string[];
    components: readonly string[];
    isMade: boolean;
    symlinks: number;
  }): string[] | undefined {
    let at = [...step.at];
    for (const component of step.components) {
      if (component === "" || component === ".") continue;
      if (component === "..") {
        at.pop();
        continue;
      }
      const path = [...at, component].join("/");
      const found = this.#root.find(path);
      if (found?.type === "directory") at.push(component);
      else if (found?.type === "symlink") {
        const target = this.#root.readlink(path);
        const symlinks = step.symlinks + 1;
        if (symlinks > MAX_SYMLINKS) throw notDirectory(path, "leads through too many symlinks");
        const base = target.startsWith("/") ? [] : at;
        const end = this.#walk({ ...step, at: base, components: target.split("/"), symlinks });
        if (end === undefined) return undefined;
        at = end;
      } else if (!step.isMade) return undefined;
      else {
        if (found !== undefined && !isWhiteout(found)) throw notDirectory(path, `is a ${found.type}`);
        this.#make(path, found !== undefined);
        at.push(component);
      }
    }
    return at;
  }

  #make(path: string, isOverWhiteout: boolean): void {
    this.count();
    if (isOverWhiteout) this.#root.unlink(path);
    this.#root.mkdir(path, 0o755);
    this.#made++;
    this.#root.chmod(path, 0o755);
    if (isOverWhiteout) makeOpaque(this.#root, path);
    else this.implied.add(path);
  }
}

function notDirectory(path: string, found: string): EngineError {
  return new EngineError("invalid", `Cannot unpack below ${quoted(path)}: it ${found}`);
}
