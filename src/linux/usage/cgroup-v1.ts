import {
  type BlockIoCount,
  type BlockIoCounters,
  type CpuCounters,
  type MemoryCounters,
  parseAmount,
  parseFlat,
  type ReadControl,
} from "./counters.ts";

/** One tick of `cpuacct.stat`: USER_HZ is 100 on every Linux that runs containers. */
const TICK_NS = 10_000_000;
/** Above this a limit is none: the kernel says the largest multiple of a page below 2^63. */
const NO_LIMIT_BYTES = 2 ** 62;

/** `cpuacct` and `cpu`. Kernel: admin-guide/cgroup-v1/cpuacct.rst, scheduler/sched-bwc.rst. */
export function readCpuV1(readCpuacct: ReadControl, readCpu: ReadControl): CpuCounters {
  const ticks = parseFlat(readCpuacct("cpuacct.stat"));
  const limits = parseFlat(readCpu("cpu.stat"));
  return {
    totalNs: parseAmount(readCpuacct("cpuacct.usage")) ?? 0,
    kernelNs: (ticks.get("system") ?? 0) * TICK_NS,
    userNs: (ticks.get("user") ?? 0) * TICK_NS,
    byCpuNs: (readCpuacct("cpuacct.usage_percpu") ?? "").split(" ").filter(isNumber).map(Number),
    periods: limits.get("nr_periods") ?? 0,
    throttledPeriods: limits.get("nr_throttled") ?? 0,
    throttledNs: limits.get("throttled_time") ?? 0,
  };
}

/** Kernel: admin-guide/cgroup-v1/memory.rst. */
export function readMemoryV1(read: ReadControl): MemoryCounters {
  const limitBytes = parseAmount(read("memory.limit_in_bytes"));
  return {
    usageBytes: parseAmount(read("memory.usage_in_bytes")) ?? 0,
    ...(limitBytes !== undefined && limitBytes < NO_LIMIT_BYTES && { limitBytes }),
    highestUsageBytes: parseAmount(read("memory.max_usage_in_bytes")) ?? 0,
    failureCount: parseAmount(read("memory.failcnt")) ?? 0,
    details: parseFlat(read("memory.stat")),
  };
}

/** What the I/O scheduler counts where it does, else what passes the throttle. Kernel: cgroup-v1/blkio-controller.rst. */
export function readBlockIoV1(read: ReadControl): BlockIoCounters {
  const counts = (kind: string): BlockIoCount[] => {
    const scheduled = parseBlockIo(read(`blkio.bfq.${kind}`));
    return scheduled.length > 0 ? scheduled : parseBlockIo(read(`blkio.throttle.${kind}`));
  };
  return { bytes: counts("io_service_bytes_recursive"), operations: counts("io_serviced_recursive") };
}

/** Lines of `8:0 Read 4096`; the last one, a sum over all devices, is left out. */
function parseBlockIo(text: string | undefined): BlockIoCount[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (match === null) return [];
    const [, major, minor, operation = "", value] = match;
    return [{ major: Number(major), minor: Number(minor), operation, value: Number(value) }];
  });
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}
