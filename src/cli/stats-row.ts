import type { ContainerStatsResponse, CpuStats, MemoryStats } from "#api/container-stats.ts";
import { shortId } from "#base/ids.ts";
import type { ListFormat, Row } from "./format/list-format.ts";

/** A container as it was asked for, and the last that is known of it: nothing yet, or nothing any more. */
export interface StatsEntry {
  readonly container: string;
  readonly stats?: ContainerStatsResponse | undefined;
}

export const STATS_LIST: ListFormat = {
  headers: {
    BlockIO: "BLOCK I/O",
    CPUPerc: "CPU %",
    Container: "CONTAINER",
    ID: "CONTAINER ID",
    MemPerc: "MEM %",
    MemUsage: "MEM USAGE / LIMIT",
    Name: "NAME",
    NetIO: "NET I/O",
    PIDs: "PIDS",
  },
  columns: ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"],
};

/** The columns of one container. docker/cli `container/formatter_stats.go` and `stats_helpers.go`. */
export function statsRow({ container, stats }: StatsEntry, isCut: boolean): Row {
  if (stats === undefined) {
    return {
      BlockIO: "--",
      CPUPerc: "--",
      Container: container,
      ID: isCut ? container.slice(0, 12) : container,
      MemPerc: "--",
      MemUsage: "-- / --",
      Name: "--",
      NetIO: "--",
      PIDs: "--",
    };
  }
  const memory = memoryInUse(stats.memory_stats);
  const limit = stats.memory_stats.limit ?? 0;
  return {
    BlockIO: pair(blockBytes(stats, "r"), blockBytes(stats, "w")),
    CPUPerc: percent(cpuShare(stats.precpu_stats, stats.cpu_stats)),
    Container: container,
    ID: isCut ? shortId(stats.id) : stats.id,
    MemPerc: percent(limit === 0 ? 0 : memory / limit),
    MemUsage: `${binarySize(memory)} / ${binarySize(limit)}`,
    Name: stats.name.replace(/^\//, ""),
    NetIO: pair(...networkBytes(stats)),
    PIDs: String(stats.pids_stats.current ?? 0),
  };
}

/** Of one processor: two that are busy are 2. */
export function cpuShare(before: CpuStats, now: CpuStats): number {
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const passed = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  return used > 0 && passed > 0 ? (used / passed) * (now.online_cpus ?? 1) : 0;
}

/** Without the files that the kernel keeps only as long as nobody else needs the memory. */
export function memoryInUse({ usage = 0, stats = {} }: MemoryStats): number {
  const inactive = stats["total_inactive_file"] ?? stats["inactive_file"] ?? 0;
  return inactive < usage ? usage - inactive : usage;
}

/** `1.5MiB`: four significant digits. */
export function binarySize(bytes: number): string {
  return scaled(bytes, { base: 1024, units: ["B", "KiB", "MiB", "GiB", "TiB", "PiB"], digits: 4 });
}

function networkBytes({ networks = {} }: ContainerStatsResponse): [number, number] {
  const all = Object.values(networks);
  return [
    all.reduce((sum, { rx_bytes: rx }) => sum + rx, 0),
    all.reduce((sum, { tx_bytes: tx }) => sum + tx, 0),
  ];
}

function blockBytes({ blkio_stats: blkio }: ContainerStatsResponse, letter: "r" | "w"): number {
  return (blkio.io_service_bytes_recursive ?? [])
    .filter(({ op }) => op.charAt(0).toLowerCase() === letter)
    .reduce((sum, { value }) => sum + value, 0);
}

function pair(left: number, right: number): string {
  const size = (bytes: number): string =>
    scaled(bytes, { base: 1000, units: ["B", "kB", "MB", "GB", "TB", "PB"], digits: 3 });
  return `${size(left)} / ${size(right)}`;
}

function scaled(bytes: number, how: { base: number; units: readonly string[]; digits: number }): string {
  let value = bytes;
  let unit = 0;
  while (value >= how.base && unit < how.units.length - 1) {
    value /= how.base;
    unit++;
  }
  return `${Number(value.toPrecision(how.digits))}${how.units[unit]}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}
