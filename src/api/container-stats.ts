/** `GET /containers/{id}/stats`: one sample. Without `read` (year 1) the container does not run. */
export interface ContainerStatsResponse {
  readonly id: string;
  /** With its leading slash. */
  readonly name: string;
  readonly os_type?: string | undefined;
  /** RFC 3339. */
  readonly read: string;
  readonly preread: string;
  readonly pids_stats: { readonly current?: number | undefined; readonly limit?: number | undefined };
  readonly blkio_stats: BlkioStats;
  readonly num_procs: number;
  readonly storage_stats: Readonly<Record<string, never>>;
  readonly cpu_stats: CpuStats;
  readonly precpu_stats: CpuStats;
  readonly memory_stats: MemoryStats;
  /** By interface. */
  readonly networks?: Readonly<Record<string, NetworkStats>> | undefined;
}

/** Times are nanoseconds. */
export interface CpuStats {
  readonly cpu_usage: {
    readonly total_usage: number;
    readonly percpu_usage?: readonly number[] | undefined;
    readonly usage_in_kernelmode: number;
    readonly usage_in_usermode: number;
  };
  readonly system_cpu_usage?: number | undefined;
  readonly online_cpus?: number | undefined;
  readonly throttling_data: {
    readonly periods: number;
    readonly throttled_periods: number;
    readonly throttled_time: number;
  };
}

export interface MemoryStats {
  readonly usage?: number | undefined;
  readonly max_usage?: number | undefined;
  readonly stats?: Readonly<Record<string, number>> | undefined;
  readonly failcnt?: number | undefined;
  readonly limit?: number | undefined;
}

export interface BlkioEntry {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

export type BlkioStats = Readonly<
  Record<
    | "io_service_bytes_recursive"
    | "io_serviced_recursive"
    | "io_queue_recursive"
    | "io_service_time_recursive"
    | "io_wait_time_recursive"
    | "io_merged_recursive"
    | "io_time_recursive"
    | "sectors_recursive",
    readonly BlkioEntry[] | null
  >
>;

export interface NetworkStats {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}
