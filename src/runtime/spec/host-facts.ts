import type { SpecDevice } from "#oci/runtime-spec.ts";

/** What a specification depends on besides the wish: read once at start by `read-host-facts.ts`, a literal in tests. */
export interface HostFacts {
  /** Go's name: `amd64`. */
  readonly architecture: string;
  readonly kernel: readonly [major: number, minor: number];
  /** What the engine itself may give away: its bounding set. */
  readonly capabilities: ReadonlySet<string>;
  /** `RLIMIT_NOFILE` → the engine's hard limit; `Infinity` is none. */
  readonly hardLimits: ReadonlyMap<string, number>;
  /** The engine's own; without CAP_SYS_RESOURCE nothing below it can be had. */
  readonly oomScoreAdj: number;
  readonly cgroup: CgroupFacts;
  /** `/sys/devices/system/cpu/cpuN/thermal_throttle` of every processor that has one. */
  readonly thermalPaths: readonly string[];
  /** Every device node under `/dev`, for privileged containers. */
  readonly devices: readonly SpecDevice[];
  readonly hasAppArmor: boolean;
}

export interface CgroupFacts {
  readonly mode: "v1" | "v2" | "hybrid";
  /**
   * `memory`, `cpu`, `pids`, `cpuset`, `blkio` (`io` on v2 counts as `blkio`), and what not every kernel has of them:
   * `blkio.weight`, `blkio.weight_device`, `cpu.rt`.
   */
  readonly controllers: ReadonlySet<string>;
  readonly hasSwapLimit: boolean;
}

/** True when the engine may raise limits above its own. */
export function mayRaiseLimits(host: HostFacts): boolean {
  return host.capabilities.has("CAP_SYS_RESOURCE");
}
