/** What the kernel counts of one cgroup, in one form for both versions of cgroups. */
export interface CgroupCounters {
  readonly cpu: CpuCounters;
  readonly memory: MemoryCounters;
  readonly pids: PidCounters;
  readonly blockIo: BlockIoCounters;
}

/** Times are nanoseconds. */
export interface CpuCounters {
  readonly totalNs: number;
  readonly kernelNs: number;
  readonly userNs: number;
  /** By processor; cgroup v1 alone. */
  readonly byCpuNs?: readonly number[];
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledNs: number;
}

export interface MemoryCounters {
  readonly usageBytes: number;
  /** Absent: none. */
  readonly limitBytes?: number;
  readonly highestUsageBytes?: number;
  /** How often the limit was hit; cgroup v1 alone. */
  readonly failureCount?: number;
  /** The lines of `memory.stat`. */
  readonly details: ReadonlyMap<string, number>;
}

export interface PidCounters {
  readonly count: number;
  /** Absent: none. */
  readonly limit?: number;
}

export interface BlockIoCount {
  readonly major: number;
  readonly minor: number;
  /** `read`, `Write`, `Total` as the kernel has it. */
  readonly operation: string;
  readonly value: number;
}

export interface BlockIoCounters {
  readonly bytes: readonly BlockIoCount[];
  /** cgroup v1 alone. */
  readonly operations?: readonly BlockIoCount[];
}

/** The text of a control file; `undefined` when there is none. */
export type ReadControl = (name: string) => string | undefined;

/** A number alone in its file; `max` is none. */
export function parseAmount(text: string | undefined): number | undefined {
  const trimmed = text?.trim();
  return trimmed === undefined || !/^\d+$/.test(trimmed) ? undefined : Number(trimmed);
}

/** Lines of `name value`. */
export function parseFlat(text: string | undefined): Map<string, number> {
  const lines = (text ?? "").split("\n").map((line) => line.split(" "));
  return new Map(lines.flatMap(([name, value]) => (name && value ? [[name, Number(value)]] : [])));
}

/** `pids.current` and `pids.max`: the same in both versions. */
export function readPids(read: ReadControl): PidCounters {
  const limit = parseAmount(read("pids.max"));
  return { count: parseAmount(read("pids.current")) ?? 0, ...(limit !== undefined && { limit }) };
}
