import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import type { MountEntry } from "../kernel.ts";
import { openKernel } from "../real-kernel.ts";
import { readBlockIoV1, readCpuV1, readMemoryV1 } from "./cgroup-v1.ts";
import { readBlockIoV2, readCpuV2, readMemoryV2 } from "./cgroup-v2.ts";
import { parseFlat, type ReadControl, readPids } from "./counters.ts";
import { parseHostUsage } from "./host-usage.ts";
import { parseLinkCounters } from "./link-counters.ts";
import { UsageMeter } from "./usage-meter.ts";

const DATA = join(import.meta.dir, "testdata");

const files =
  (version: "v1" | "v2"): ReadControl =>
  (name) => {
    const path = join(DATA, version, name);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
const v1 = files("v1");
const v2 = files("v2");
const nothing: ReadControl = () => undefined;

const golden: [string, unknown][] = [
  [
    "v1",
    { cpu: readCpuV1(v1, v1), memory: readMemoryV1(v1), pids: readPids(v1), blockIo: readBlockIoV1(v1) },
  ],
  ["v2", { cpu: readCpuV2(v2), memory: readMemoryV2(v2), pids: readPids(v2), blockIo: readBlockIoV2(v2) }],
];
for (const [version, counters] of golden) {
  test(`what a cgroup ${version} counts is read whole`, () => {
    const text = `${JSON.stringify(counters, (_key, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value), 2)}\n`;
    const path = join(DATA, version, "expected.json");
    if (process.env["UPDATE_GOLDEN"]) writeFileSync(path, text);
    expect(text).toBe(readFileSync(path, "utf8"));
  });
}

test("a controller that is not there counts nothing", () => {
  expect(readCpuV1(nothing, nothing)).toEqual({
    totalNs: 0,
    kernelNs: 0,
    userNs: 0,
    byCpuNs: [],
    periods: 0,
    throttledPeriods: 0,
    throttledNs: 0,
  });
  expect(readMemoryV2(nothing)).toEqual({ usageBytes: 0, details: new Map() });
  expect(readPids(nothing)).toEqual({ count: 0 });
  expect(readBlockIoV2(nothing)).toEqual({ bytes: [] });
});

test("no limit is no limit: the highest number of v1, the word of v2", () => {
  expect(readMemoryV1(() => "9223372036854771712\n")).not.toHaveProperty("limitBytes");
  expect(readMemoryV2(() => "max\n")).not.toHaveProperty("limitBytes");
  expect(readPids(() => "max\n")).not.toHaveProperty("limit");
});

test("what the scheduler counts comes before what passes the throttle", () => {
  const read: ReadControl = (name) =>
    name.startsWith("blkio.bfq.") ? "8:0 Read 5\nTotal 5\n" : "8:0 Read 1\nTotal 1\n";
  expect(readBlockIoV1(read).bytes).toEqual([{ major: 8, minor: 0, operation: "Read", value: 5 }]);
});

test("lines that are not understood are left out", () => {
  expect(parseFlat("a 1\n\nb\nc 2\n")).toEqual(
    new Map([
      ["a", 1],
      ["c", 2],
    ]),
  );
});

test("the host's time is the sum of seven fields of all processors", () => {
  const stat = "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n";
  expect(parseHostUsage({ stat, meminfo: "MemTotal:       24684604 kB\nMemFree: 1 kB\n" })).toEqual({
    cpuNs: 280 * 10_000_000,
    onlineCpus: 2,
    memoryBytes: 24_684_604 * 1024,
  });
});

test("interfaces are counted by name, without those that every namespace has", () => {
  const counters = parseLinkCounters(`Inter-|   Receive                    |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:     480       6    1    2    3     4          5         6        7       8    9   10   11    12      13         14
 tunl0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`);
  expect([...counters]).toEqual([
    [
      "eth0",
      {
        receivedBytes: 480,
        receivedPackets: 6,
        receiveErrors: 1,
        receiveDropped: 2,
        sentBytes: 7,
        sentPackets: 8,
        sendErrors: 9,
        sendDropped: 10,
      },
    ],
  ]);
});

const mount = (type: string, target: string, superOptions: readonly string[]): MountEntry => ({
  id: 1,
  parentId: 0,
  root: "/",
  target,
  options: [],
  tags: [],
  type,
  source: type,
  superOptions,
});

/** Hosts by what is mounted where; each controller must be found in its own place. */
const hosts: [string, (root: string) => MountEntry[], Record<string, Record<string, string>>][] = [
  [
    "v1",
    (root) => [
      mount("cgroup", join(root, "cpu,cpuacct"), ["rw", "cpu", "cpuacct"]),
      mount("cgroup", join(root, "memory"), ["rw", "memory"]),
      mount("cgroup", join(root, "pids"), ["rw", "pids"]),
    ],
    {
      "cpu,cpuacct": { "cpuacct.usage": "7" },
      memory: { "memory.usage_in_bytes": "8" },
      pids: { "pids.current": "9" },
    },
  ],
  [
    "v2",
    (root) => [mount("cgroup2", root, ["rw"])],
    { "": { "cpu.stat": "usage_usec 0.007", "memory.current": "8", "pids.current": "9" } },
  ],
  [
    "hybrid",
    (root) => [
      mount("cgroup2", join(root, "unified"), ["rw"]),
      mount("cgroup", join(root, "cpuacct"), ["rw", "cpuacct"]),
      mount("cgroup", join(root, "pids"), ["rw", "pids"]),
    ],
    {
      unified: { "memory.current": "8", "pids.current": "999", "cpu.stat": "usage_usec 999" },
      cpuacct: { "cpuacct.usage": "7" },
      pids: { "pids.current": "9" },
    },
  ],
];
for (const [name, mounts, folders] of hosts) {
  test(`every controller is read where a ${name} host has it`, () => {
    const root = mkdtempSync(join(tmpdir(), "darse-usage-"));
    try {
      for (const [folder, controls] of Object.entries(folders)) {
        mkdirSync(join(root, folder, "darse/x"), { recursive: true });
        for (const [file, text] of Object.entries(controls)) {
          writeFileSync(join(root, folder, "darse/x", file), `${text}\n`);
        }
      }
      const { cpu, memory, pids } = new UsageMeter(mounts(root)).cgroup("/darse/x");
      expect([cpu.totalNs, memory.usageBytes, pids.count]).toEqual([7, 8, 9]);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
}

test("this host counts its own time, memory and interfaces", () => {
  const meter = new UsageMeter(openKernel().mounts());
  expect(meter.host().cpuNs).toBeGreaterThan(0);
  expect(meter.host().onlineCpus).toBeGreaterThan(0);
  expect(meter.host().memoryBytes).toBeGreaterThan(2 ** 20);
  expect(meter.cgroup("/no/such/cgroup").pids).toEqual({ count: 0 });
  expect(meter.links(2 ** 22 + 1)).toEqual(new Map());
});
