import type {
  BlkioEntry,
  BlkioStats,
  ContainerStatsResponse,
  CpuStats,
  MemoryStats,
  NetworkStats,
} from "#api/container-stats.ts";
import type { ApiVersion } from "#api/version.ts";
import { rfc3339 } from "#base/clock.ts";
import type { ContainerStats, UsageSample } from "#container/stats.ts";
import type { BlockIoCount, LinkCounters } from "#container/usage.ts";

/** One sample of `GET /containers/{id}/stats`, zeros for a container that does not run. Docker's daemon/stats_unix.go. */
export function encodeStats(stats: ContainerStats, version: ApiVersion): ContainerStatsResponse {
  const { id, name, platform, sample, previous } = stats;
  return {
    id,
    name: `/${name}`,
    ...(version.atLeast(1, 52) && { os_type: platform }),
    read: rfc3339(sample?.readAt),
    preread: rfc3339(previous?.readAt),
    pids_stats: encodePids(sample),
    blkio_stats: encodeBlockIo(sample),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: encodeCpu(sample),
    precpu_stats: encodeCpu(previous),
    memory_stats: encodeMemory(sample),
    ...(sample && sample.links.size > 0 && { networks: encodeLinks(sample.links) }),
  };
}

function encodePids(sample: UsageSample | undefined): ContainerStatsResponse["pids_stats"] {
  if (sample === undefined) return {};
  const { count, limit } = sample.cgroup.pids;
  return { current: count, ...(limit !== undefined && { limit }) };
}

/** A kernel that counts operations (cgroup v1) has the other lists too, empty. */
function encodeBlockIo(sample: UsageSample | undefined): BlkioStats {
  const { bytes, operations } = sample?.cgroup.blockIo ?? {};
  const other = operations && [];
  return {
    io_service_bytes_recursive: bytes?.map(encodeEntry) ?? null,
    io_serviced_recursive: operations?.map(encodeEntry) ?? null,
    io_queue_recursive: other ?? null,
    io_service_time_recursive: other ?? null,
    io_wait_time_recursive: other ?? null,
    io_merged_recursive: other ?? null,
    io_time_recursive: other ?? null,
    sectors_recursive: other ?? null,
  };
}

function encodeEntry({ major, minor, operation, value }: BlockIoCount): BlkioEntry {
  return { major, minor, op: operation, value };
}

function encodeCpu(sample: UsageSample | undefined): CpuStats {
  const cpu = sample?.cgroup.cpu;
  return {
    cpu_usage: {
      total_usage: cpu?.totalNs ?? 0,
      ...(cpu?.byCpuNs && { percpu_usage: cpu.byCpuNs }),
      usage_in_kernelmode: cpu?.kernelNs ?? 0,
      usage_in_usermode: cpu?.userNs ?? 0,
    },
    ...(sample && { system_cpu_usage: sample.host.cpuNs, online_cpus: sample.host.onlineCpus }),
    throttling_data: {
      periods: cpu?.periods ?? 0,
      throttled_periods: cpu?.throttledPeriods ?? 0,
      throttled_time: cpu?.throttledNs ?? 0,
    },
  };
}

/** Without a limit, or with one that is more than there is, the host's memory is the limit. */
function encodeMemory(sample: UsageSample | undefined): MemoryStats {
  if (sample === undefined) return {};
  const { usageBytes, limitBytes, highestUsageBytes, failureCount, details } = sample.cgroup.memory;
  const hostBytes = sample.host.memoryBytes;
  return {
    usage: usageBytes,
    // cgroup v1, as with the counts of its limit: clients tell the versions apart by it.
    ...(failureCount !== undefined && highestUsageBytes !== undefined && { max_usage: highestUsageBytes }),
    stats: Object.fromEntries(details),
    ...(failureCount && { failcnt: failureCount }),
    limit: limitBytes === undefined ? hostBytes : Math.min(limitBytes, hostBytes),
  };
}

function encodeLinks(links: ReadonlyMap<string, LinkCounters>): Record<string, NetworkStats> {
  return Object.fromEntries([...links].map(([name, counters]) => [name, encodeLink(counters)]));
}

function encodeLink(link: LinkCounters): NetworkStats {
  return {
    rx_bytes: link.receivedBytes,
    rx_packets: link.receivedPackets,
    rx_errors: link.receiveErrors,
    rx_dropped: link.receiveDropped,
    tx_bytes: link.sentBytes,
    tx_packets: link.sentPackets,
    tx_errors: link.sendErrors,
    tx_dropped: link.sendDropped,
  };
}
