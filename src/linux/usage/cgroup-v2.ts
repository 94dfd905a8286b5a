import {
  type BlockIoCount,
  type BlockIoCounters,
  type CpuCounters,
  type MemoryCounters,
  parseAmount,
  parseFlat,
  type ReadControl,
} from "./counters.ts";

// Kernel: admin-guide/cgroup-v2.rst, "CPU Interface Files", "Memory Interface Files", "IO Interface Files".

/** Microseconds in the file. */
export function readCpuV2(read: ReadControl): CpuCounters {
  const stat = parseFlat(read("cpu.stat"));
  const ns = (name: string): number => (stat.get(name) ?? 0) * 1000;
  return {
    totalNs: ns("usage_usec"),
    kernelNs: ns("system_usec"),
    userNs: ns("user_usec"),
    periods: stat.get("nr_periods") ?? 0,
    throttledPeriods: stat.get("nr_throttled") ?? 0,
    throttledNs: ns("throttled_usec"),
  };
}

export function readMemoryV2(read: ReadControl): MemoryCounters {
  const limitBytes = parseAmount(read("memory.max"));
  const highestUsageBytes = parseAmount(read("memory.peak"));
  return {
    usageBytes: parseAmount(read("memory.current")) ?? 0,
    ...(limitBytes !== undefined && { limitBytes }),
    ...(highestUsageBytes !== undefined && { highestUsageBytes }),
    details: parseFlat(read("memory.stat")),
  };
}

/** Lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`. */
export function readBlockIoV2(read: ReadControl): BlockIoCounters {
  const bytes = (read("io.stat") ?? "").split("\n").flatMap((line): BlockIoCount[] => {
    const [device = "", ...pairs] = line.split(" ");
    const [major, minor] = device.split(":").map(Number);
    if (major === undefined || minor === undefined) return [];
    const values = new Map(pairs.map((pair) => [pair.split("=", 1)[0], Number(pair.split("=")[1])]));
    const count = (operation: string, key: string): BlockIoCount => ({
      major,
      minor,
      operation,
      value: values.get(key) ?? 0,
    });
    return [count("read", "rbytes"), count("write", "wbytes")];
  });
  return { bytes };
}
