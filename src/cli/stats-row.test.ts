import { expect, test } from "bun:test";
import type { ContainerStatsResponse, CpuStats } from "#api/container-stats.ts";
import { renderList } from "./format/list-format.ts";
import { binarySize, cpuShare, memoryInUse, STATS_LIST, statsRow } from "./stats-row.ts";

const cpu = (used: number, passed: number): CpuStats => ({
  cpu_usage: { total_usage: used, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  system_cpu_usage: passed,
  online_cpus: 2,
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
});
const link = {
  rx_packets: 0,
  rx_errors: 0,
  rx_dropped: 0,
  tx_packets: 0,
  tx_errors: 0,
  tx_dropped: 0,
};
const SAMPLE: ContainerStatsResponse = {
  id: "0123456789abcdef0123",
  name: "/web",
  read: "",
  preread: "",
  pids_stats: { current: 3 },
  blkio_stats: {
    io_service_bytes_recursive: [
      { major: 8, minor: 0, op: "Read", value: 4_096_000 },
      { major: 8, minor: 0, op: "write", value: 1_500 },
      { major: 8, minor: 0, op: "Total", value: 99 },
    ],
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  },
  num_procs: 0,
  storage_stats: {},
  cpu_stats: cpu(3e9, 14e9),
  precpu_stats: cpu(2e9, 10e9),
  memory_stats: { usage: 3 * 2 ** 20, limit: 2 ** 30, stats: { inactive_file: 2 ** 20 } },
  networks: { eth0: { ...link, rx_bytes: 1000, tx_bytes: 7 }, eth1: { ...link, rx_bytes: 234, tx_bytes: 0 } },
};

test("a sample is shown as Docker shows it", async () => {
  const text = await renderList(STATS_LIST, [statsRow({ container: "web", stats: SAMPLE }, true)], {
    format: undefined,
    isQuiet: false,
  });
  expect(text).toBe(
    `CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O       BLOCK I/O       PIDS
0123456789ab   web       50.00%    2MiB / 1GiB         0.20%     1.23kB / 7B   4.1MB / 1.5kB   3
`,
  );
});

test("what is not known yet is shown by dashes", () => {
  const row = statsRow({ container: "web" }, true);
  expect(STATS_LIST.columns.map((name) => row[name])).toEqual([
    "web",
    "--",
    "--",
    "-- / --",
    "--",
    "--",
    "--",
    "--",
  ]);
});

test("ids are whole when nothing is to be cut", () => {
  expect(statsRow({ container: "web", stats: SAMPLE }, false)["ID"]).toBe(SAMPLE.id);
});

const shares: [string, CpuStats, CpuStats, number][] = [
  ["both processors busy", cpu(0, 0), cpu(2e9, 2e9), 2],
  ["the first sample, measured from the boot of the host", cpu(0, 0), cpu(1e9, 100e9), 0.02],
  ["nothing used", cpu(1, 0), cpu(1, 5), 0],
  ["a restart between the samples", cpu(5, 0), cpu(1, 5), 0],
  ["no time passed", cpu(0, 5), cpu(1, 5), 0],
];
for (const [name, before, now, want] of shares) {
  test(`share of the processors: ${name}`, () => expect(cpuShare(before, now)).toBe(want));
}

const uses: [string, Parameters<typeof memoryInUse>[0], number][] = [
  ["cgroup v1 counts its children", { usage: 10, stats: { total_inactive_file: 4, inactive_file: 1 } }, 6],
  ["cgroup v2", { usage: 10, stats: { inactive_file: 1 } }, 9],
  ["more cache than use", { usage: 10, stats: { inactive_file: 11 } }, 10],
  ["nothing", {}, 0],
];
for (const [name, memory, want] of uses) {
  test(`memory in use: ${name}`, () => expect(memoryInUse(memory)).toBe(want));
}

const sizes: [number, string][] = [
  [0, "0B"],
  [1023, "1023B"],
  [1536, "1.5KiB"],
  [25_276_800_000, "23.54GiB"],
];
for (const [bytes, text] of sizes) test(`${bytes} is ${text}`, () => expect(binarySize(bytes)).toBe(text));
