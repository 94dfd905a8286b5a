/** What a container's share is measured against. */
export interface HostUsage {
  /** Time of all processors since boot, idle time too. */
  readonly cpuNs: number;
  readonly onlineCpus: number;
  readonly memoryBytes: number;
}

const TICK_NS = 10_000_000;
/** user nice system idle iowait irq softirq; guest time is part of user time. */
const CPU_FIELDS = 7;

/** From `/proc/stat` and `/proc/meminfo`. `proc_stat(5)`, `proc_meminfo(5)`. */
export function parseHostUsage({ stat, meminfo }: { stat: string; meminfo: string }): HostUsage {
  const lines = stat.split("\n");
  const total = lines.find((line) => line.startsWith("cpu ")) ?? "";
  const ticks = total
    .trim()
    .split(/\s+/)
    .slice(1, CPU_FIELDS + 1)
    .map(Number);
  return {
    cpuNs: ticks.reduce((sum, value) => sum + value, 0) * TICK_NS,
    onlineCpus: lines.filter((line) => /^cpu\d/.test(line)).length,
    memoryBytes: Number(/^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) * 1024,
  };
}
