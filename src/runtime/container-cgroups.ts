import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isErrno } from "#base/errors.ts";

/** Where the kernel counts its kills for memory: cgroup v2, then v1. */
const OOM_COUNTERS: readonly (readonly [file: string, key: string])[] = [
  ["memory.events", "oom_kill"],
  ["memory.oom_control", "oom_kill"],
];

/** The cgroups of containers, which have the same path in every hierarchy. */
export class ContainerCgroups {
  readonly #roots: readonly string[];
  /** Folders above the containers' cgroups, which the OCI runtime made. */
  readonly #parents = new Set<string>();

  /** `roots`: the mount points of the hierarchies (`cgroupRoots` of `linux/`). */
  constructor(roots: readonly string[]) {
    this.#roots = roots;
  }

  /** Whether the kernel killed a process of the container for want of memory. */
  hadOomKill(path: string): boolean {
    return this.#roots.some((root) =>
      OOM_COUNTERS.some(([file, key]) => (findCounter(join(root, path, file), key) ?? 0) > 0),
    );
  }

  /** The processes in the container's cgroup and those below it, in the order of their numbers. */
  processes(path: string): number[] {
    const folder = this.#roots.map((root) => join(root, path)).find((candidate) => existsSync(candidate));
    return folder === undefined ? [] : processesBelow(folder).toSorted((left, right) => left - right);
  }

  /** Lets the container have any number of processes: crun writes the −1 of the specification as it stands. */
  liftPidsLimit(path: string): void {
    const file = this.#roots.map((root) => join(root, path, "pids.max")).find((one) => existsSync(one));
    if (file !== undefined) writeFileSync(file, "max");
  }

  /** Removes the container's cgroups; those that are gone already count as removed. False when one is in use. */
  remove(path: string): boolean {
    if (!/^\/[^/]/.test(path) || path.split("/").includes("..")) return false;
    for (let parent = dirname(path); parent !== "/"; parent = dirname(parent)) this.#parents.add(parent);
    return this.#roots.map((root) => removeTree(join(root, path))).every(Boolean);
  }

  /** Removes the folders above those that were removed, if they are empty; the next container's would need them. */
  removeParents(): void {
    const innerFirst = [...this.#parents].toSorted((a, b) => b.length - a.length);
    for (const parent of innerFirst) for (const root of this.#roots) removeIfEmpty(join(root, parent));
    this.#parents.clear();
  }
}

function processesBelow(folder: string): number[] {
  try {
    const own = readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
    const children = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...own, ...children.flatMap(({ name }) => processesBelow(join(folder, name)))];
  } catch (error) {
    // A cgroup of threads has no list of processes: they are counted in the one above.
    if (isErrno(error, "ENOENT", "ENODEV", "EOPNOTSUPP")) return [];
    throw error;
  }
}

function findCounter(file: string, key: string): number | undefined {
  try {
    const line = readFileSync(file, "utf8")
      .split("\n")
      .find((candidate) => candidate.startsWith(`${key} `));
    return line === undefined ? undefined : Number(line.slice(key.length + 1));
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENODEV")) return undefined;
    throw error;
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "EBUSY", "ENOTEMPTY")) throw error;
  }
}

/** Children first, and only when there are any: the common case is one system call. */
function removeTree(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return true;
    if (!isErrno(error, "EBUSY")) throw error;
  }
  try {
    const children = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    if (children.length === 0) return false;
    return children.map(({ name }) => removeTree(join(folder, name))).every(Boolean) && removeTree(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return true;
    throw error;
  }
}
