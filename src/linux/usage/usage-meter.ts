import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "#base/errors.ts";
import type { MountEntry } from "../kernel.ts";
import { readBlockIoV1, readCpuV1, readMemoryV1 } from "./cgroup-v1.ts";
import { readBlockIoV2, readCpuV2, readMemoryV2 } from "./cgroup-v2.ts";
import { type CgroupCounters, type ReadControl, readPids } from "./counters.ts";
import { type HostUsage, parseHostUsage } from "./host-usage.ts";
import { type LinkCounters, parseLinkCounters } from "./link-counters.ts";

type Controller = "cpu" | "cpuacct" | "memory" | "pids" | "blkio";

/**
 * Reads what the kernel counts of cgroups, of network namespaces and of the host. Each controller is read where this
 * host has it: in its own hierarchy (v1) or in the one of all (v2), so that v1, v2 and hybrid hosts are one case.
 */
export class UsageMeter {
  readonly #v1: ReadonlyMap<string, string>;
  readonly #v2: string | undefined;

  /** @param mounts of this process; hierarchies do not move while an engine runs */
  constructor(mounts: readonly MountEntry[]) {
    const whole = mounts.filter(({ root }) => root === "/");
    this.#v1 = new Map(
      whole
        .filter(({ type }) => type === "cgroup")
        .flatMap(({ superOptions, target }) => superOptions.map((option) => [option, target] as const)),
    );
    this.#v2 = whole.find(({ type }) => type === "cgroup2")?.target;
  }

  /** Of the cgroup at `path`, the same in every hierarchy; zeros where the host has no such controller. */
  cgroup(path: string): CgroupCounters {
    const v2 = this.#reader(this.#v2, path);
    const v1 = (controller: Controller): ReadControl => this.#reader(this.#v1.get(controller), path);
    const has = (controller: Controller): boolean => this.#v1.has(controller);
    return {
      cpu: has("cpuacct") ? readCpuV1(v1("cpuacct"), v1("cpu")) : readCpuV2(v2),
      memory: has("memory") ? readMemoryV1(v1("memory")) : readMemoryV2(v2),
      pids: readPids(has("pids") ? v1("pids") : v2),
      blockIo: has("blkio") ? readBlockIoV1(v1("blkio")) : readBlockIoV2(v2),
    };
  }

  /** The interfaces in the network namespace of process `pid`, by name; none when it has ended. */
  links(pid: number): Map<string, LinkCounters> {
    return parseLinkCounters(textOf(`/proc/${pid}/net/dev`) ?? "");
  }

  host(): HostUsage {
    return parseHostUsage({ stat: textOf("/proc/stat") ?? "", meminfo: textOf("/proc/meminfo") ?? "" });
  }

  #reader(root: string | undefined, path: string): ReadControl {
    return (name) => (root === undefined ? undefined : textOf(join(root, path, name)));
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    // EOPNOTSUPP: a control that this kernel has and does not count; EINVAL: a process that is being reaped.
    if (isErrno(error, "ENOENT", "ENODEV", "ESRCH", "EOPNOTSUPP", "EINVAL")) return undefined;
    throw error;
  }
}
