import { posix } from "node:path";
import { isErrno } from "#base/errors.ts";
import type { RootFile, StepRoot } from "./host.ts";

/** What the runtime mounts in every container. */
const ALWAYS = ["/proc", "/dev", "/sys", "/etc/hosts", "/etc/resolv.conf"];

/** A directory in which a mount point is missing, as it was before the step. */
interface Holder {
  readonly path: string;
  readonly names: string;
  readonly mtimeNs: bigint;
}

/**
 * Mount points that a step needs and its file system may lack: the runtime makes them, and they are no part of the
 * layer. Everything is looked up and removed in the root, one name at a time, and only while it is still the empty file
 * or directory that the runtime made: whatever the step put in its place is the step's own.
 */
export class MountPoints {
  readonly #root: StepRoot;
  readonly #missing: readonly string[];
  readonly #holders: readonly Holder[];

  constructor(root: StepRoot, targets: readonly string[]) {
    this.#root = root;
    const paths = new Set([...ALWAYS, ...targets].flatMap(withParents));
    this.#missing = [...paths].filter((path) => this.#find(path) === undefined);
    this.#holders = [...new Set(this.#missing.map((path) => posix.dirname(path)))].flatMap((path) => {
      const stat = this.#find(path);
      if (stat?.type !== "directory") return [];
      return [{ path, names: this.#names(path), mtimeNs: stat.mtimeNs }];
    });
  }

  /** Removes those that were made for the step, and gives directories that only held them their times back. */
  remove(): void {
    // longer paths first: what is below before what holds it
    for (const path of this.#missing.toSorted((a, b) => b.length - a.length)) this.#removeEmpty(path);
    for (const { path, names, mtimeNs } of this.#holders) {
      const stat = this.#find(path);
      if (stat?.type === "directory" && stat.mtimeNs !== mtimeNs && this.#names(path) === names) {
        this.#root.utimes(path, mtimeNs);
      }
    }
  }

  #removeEmpty(path: string): void {
    const stat = this.#find(path);
    try {
      if (stat?.type === "directory") this.#root.rmdir(path);
      else if (stat?.type === "file" && stat.size === 0) this.#root.unlink(path);
    } catch (error) {
      if (!isErrno(error, "ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR", "ELOOP", "EBUSY")) throw error;
    }
  }

  #names(path: string): string {
    return JSON.stringify(this.#root.readdir(path).toSorted());
  }

  #find(path: string): RootFile | undefined {
    try {
      return this.#root.find(path);
    } catch (error) {
      if (isErrno(error, "ENOTDIR", "ELOOP")) return undefined;
      throw error;
    }
  }
}

function withParents(path: string): string[] {
  const parents: string[] = [];
  for (let at = path; at !== "/"; at = posix.dirname(at)) parents.push(at);
  return parents;
}
