import type { CgroupMode, MountEntry } from "./kernel.ts";

/** One line of `/proc/<pid>/cgroup`: the hierarchy's controllers (none for v2) and our place in it. `cgroups(7)`. */
export interface CgroupMembership {
  /** `["cpu", "cpuacct"]`, `["name=systemd"]`; empty for v2. */
  readonly controllers: readonly string[];
  readonly path: string;
}

/** Parses `/proc/<pid>/cgroup`. */
export function parseCgroups(text: string): CgroupMembership[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, controllers = "", ...path] = line.split(":");
      return { controllers: controllers === "" ? [] : controllers.split(","), path: path.join(":") };
    });
}

/** How the hierarchies are mounted: v2 alone, v1 alone (a named v1 hierarchy counts), or both. */
export function cgroupModeOf(mounts: readonly MountEntry[]): CgroupMode {
  const hasV1 = mounts.some(({ type }) => type === "cgroup");
  const hasV2 = mounts.some(({ type }) => type === "cgroup2");
  if (!hasV1) return "v2";
  return hasV2 ? "hybrid" : "v1";
}

/** The hierarchies that are mounted whole, each at one place of its mount points. */
export function cgroupRoots(mounts: readonly MountEntry[]): string[] {
  const bySource = new Map<string, string>();
  for (const { type, root, target, superOptions } of mounts) {
    if ((type !== "cgroup" && type !== "cgroup2") || root !== "/") continue;
    const hierarchy = `${type}:${superOptions.filter((option) => option !== "rw" && option !== "ro").join(",")}`;
    if (!bySource.has(hierarchy)) bySource.set(hierarchy, target);
  }
  return [...bySource.values()];
}
