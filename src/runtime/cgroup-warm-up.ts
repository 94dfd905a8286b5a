import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "#base/log.ts";
import { parseCgroups } from "#linux/cgroups.ts";
import type { MountEntry } from "#linux/kernel.ts";

/** A hierarchy, and how `/proc/self/cgroup` calls it. */
interface Hierarchy {
  readonly target: string;
  /** Empty for v2. */
  readonly controller: string;
}

/**
 * Takes a wait out of a container's start. Before the kernel moves a process into a cgroup it takes a lock whose writer
 * first waits for an RCU grace period, 7 to 20 ms on an idle machine; for about as long afterwards the lock is had at
 * once (kernel/cgroup/cgroup.c `cgroup_attach_lock`, kernel/rcu/sync.c). The OCI runtime makes such a move some
 * milliseconds after it was started. So at the first sign of a start we make one that changes nothing, ourselves to
 * where we are, in another thread: the grace period passes while conmon and the runtime load.
 */
export class CgroupWarmUp {
  readonly #hierarchy: Hierarchy | undefined;
  readonly #log: Logger;
  #isUnderWay = false;

  constructor(mounts: readonly MountEntry[], log: Logger) {
    this.#log = log;
    this.#hierarchy = findHierarchy(mounts);
  }

  /** Begins and returns at once. Only a hint: where it does not work nothing is lost but the time. */
  begin(): void {
    const path = this.#isUnderWay ? undefined : this.#ownPath();
    if (path === undefined) return;
    this.#isUnderWay = true;
    // "0" is whoever writes.
    writeFile(path, "0")
      .catch((error: unknown) => this.#log.debug("Cannot take the wait out of a start", { path, error }))
      .finally(() => {
        this.#isUnderWay = false;
      });
  }

  /** Read anew each time: written to where we were once, it would move us back. */
  #ownPath(): string | undefined {
    const hierarchy = this.#hierarchy;
    if (!hierarchy) return undefined;
    const own = parseCgroups(readFileSync("/proc/self/cgroup", "utf8")).find(({ controllers }) =>
      hierarchy.controller === "" ? controllers.length === 0 : controllers.includes(hierarchy.controller),
    );
    // Outside the part of the tree that is mounted: "/../other".
    if (!own || own.path.startsWith("/..")) return undefined;
    return join(hierarchy.target, own.path, "cgroup.procs");
  }
}

/** v2 where there is one, for it is the one without side effects; else any v1 controller mounted whole. */
function findHierarchy(mounts: readonly MountEntry[]): Hierarchy | undefined {
  const whole = mounts.filter(({ root }) => root === "/");
  const v2 = whole.find(({ type }) => type === "cgroup2");
  if (v2) return { target: v2.target, controller: "" };
  for (const { type, target, superOptions } of whole) {
    const controller = superOptions.find((option) => option === "pids" || option === "freezer");
    if (type === "cgroup" && controller) return { target, controller };
  }
  return undefined;
}
