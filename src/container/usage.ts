/** What the kernel counts of one cgroup. Times are nanoseconds; a limit that is absent is none. */
export interface CgroupCounters {
  readonly cpu: {
    readonly totalNs: number;
    readonly kernelNs: number;
    readonly userNs: number;
    /** By processor, where the kernel tells. */
    readonly byCpuNs?: readonly number[];
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly memory: {
    readonly usageBytes: number;
    readonly limitBytes?: number;
    readonly highestUsageBytes?: number;
    readonly failureCount?: number;
    /** The kernel's own names. */
    readonly details: ReadonlyMap<string, number>;
  };
  readonly pids: { readonly count: number; readonly limit?: number };
  readonly blockIo: {
    readonly bytes: readonly BlockIoCount[];
    /** Where the kernel tells. */
    readonly operations?: readonly BlockIoCount[];
  };
}

export interface BlockIoCount {
  readonly major: number;
  readonly minor: number;
  readonly operation: string;
  readonly value: number;
}

export interface HostUsage {
  /** Time of all processors since boot. */
  readonly cpuNs: number;
  readonly onlineCpus: number;
  readonly memoryBytes: number;
}

export interface LinkCounters {
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly receiveErrors: number;
  readonly receiveDropped: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly sendErrors: number;
  readonly sendDropped: number;
}

/** Who reads the kernel's counters. */
export interface Meter {
  /** Of the cgroup with this path in every hierarchy; zeros when it is gone. */
  cgroup(path: string): CgroupCounters;
  /** The interfaces that the process's network namespace was given, by name. */
  links(pid: number): ReadonlyMap<string, LinkCounters>;
  host(): HostUsage;
}

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Shows processes as `ps` does with `options`. @throws {EngineError} invalid for options it refuses */
export type ListProcesses = (
  options: string,
  pids: readonly number[],
  signal: AbortSignal,
) => Promise<ProcessTable>;
