import { expect, test } from "bun:test";
import { ApiVersion } from "#api/version.ts";
import { asContainerId } from "#base/ids.ts";
import type { ContainerStats, UsageSample } from "#container/stats.ts";
import { encodeStats } from "./containers-stats-encode.ts";

const V51 = new ApiVersion(1, 51);
const V52 = new ApiVersion(1, 52);
const id = asContainerId("0".repeat(64));
const IDLE = { id, name: "web", platform: "linux" };
const cpu = { totalNs: 5, kernelNs: 2, userNs: 3, periods: 1, throttledPeriods: 1, throttledNs: 7 };

function sample(changes: Partial<UsageSample["cgroup"]> = {}): UsageSample {
  return {
    readAt: 1000,
    cgroup: {
      cpu,
      memory: { usageBytes: 10, details: new Map([["anon", 4]]) },
      pids: { count: 1 },
      blockIo: { bytes: [{ major: 8, minor: 0, operation: "read", value: 9 }] },
      ...changes,
    },
    host: { cpuNs: 100, onlineCpus: 2, memoryBytes: 1000 },
    links: new Map(),
  };
}

const of = (one: UsageSample, previous?: UsageSample): ContainerStats => ({
  ...IDLE,
  sample: one,
  ...(previous && { previous }),
});

test("a container that does not run is zeros with its name", () => {
  const { blkio_stats: blkio, ...rest } = encodeStats(IDLE, V52);
  const zero = {
    cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
    throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  };
  expect(rest).toEqual({
    id,
    name: "/web",
    os_type: "linux",
    read: "0001-01-01T00:00:00Z",
    preread: "0001-01-01T00:00:00Z",
    pids_stats: {},
    num_procs: 0,
    storage_stats: {},
    cpu_stats: zero,
    precpu_stats: zero,
    memory_stats: {},
  });
  expect(new Set(Object.values(blkio))).toEqual(new Set([null]));
});

test("cgroup v2: one list of block I/O, and no counts that only v1 has", () => {
  const stats = encodeStats(of(sample(), sample()), V51);
  expect(stats).not.toHaveProperty("os_type");
  expect(stats.blkio_stats.io_service_bytes_recursive).toEqual([
    { major: 8, minor: 0, op: "read", value: 9 },
  ]);
  expect(stats.blkio_stats.io_serviced_recursive).toBeNull();
  expect(stats.memory_stats).toEqual({ usage: 10, stats: { anon: 4 }, limit: 1000 });
  expect(stats.cpu_stats).toEqual({
    cpu_usage: { total_usage: 5, usage_in_kernelmode: 2, usage_in_usermode: 3 },
    system_cpu_usage: 100,
    online_cpus: 2,
    throttling_data: { periods: 1, throttled_periods: 1, throttled_time: 7 },
  });
  expect(stats.precpu_stats).toEqual(stats.cpu_stats);
  expect(stats.pids_stats).toEqual({ current: 1 });
  expect(stats).not.toHaveProperty("networks");
});

test("cgroup v1: every list, every processor, the highest use", () => {
  const stats = encodeStats(
    of(
      sample({
        cpu: { ...cpu, byCpuNs: [1, 4] },
        memory: {
          usageBytes: 10,
          limitBytes: 500,
          highestUsageBytes: 12,
          failureCount: 2,
          details: new Map(),
        },
        pids: { count: 1, limit: 9 },
        blockIo: { bytes: [], operations: [] },
      }),
    ),
    V51,
  );
  expect(new Set(Object.values(stats.blkio_stats).map((list) => list?.length))).toEqual(new Set([0]));
  expect(stats.cpu_stats.cpu_usage.percpu_usage).toEqual([1, 4]);
  expect(stats.memory_stats).toEqual({ usage: 10, max_usage: 12, stats: {}, failcnt: 2, limit: 500 });
  expect(stats.pids_stats).toEqual({ current: 1, limit: 9 });
});

test("a limit above what the host has is the host's memory", () => {
  const memory = { usageBytes: 10, limitBytes: 2000, details: new Map<string, number>() };
  expect(encodeStats(of(sample({ memory })), V51).memory_stats.limit).toBe(1000);
});
