import { expect, test } from "bun:test";
import { cgroupModeOf, cgroupRoots, parseCgroups } from "./cgroups.ts";
import { parseMountInfo } from "./mountinfo.ts";

const V2 = "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
const CPU = "2 1 0:2 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
const MEMORY = "3 1 0:3 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
const UNIFIED = "4 1 0:4 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
const NAMED = "5 1 0:5 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";

const modes: [string, string][] = [
  [V2, "v2"],
  [CPU + MEMORY, "v1"],
  [CPU + UNIFIED, "hybrid"],
  [NAMED + UNIFIED, "hybrid"],
  ["", "v2"],
];

for (const [text, mode] of modes) {
  const types = parseMountInfo(text).map(
    ({ superOptions, type }) => `${type}(${superOptions.slice(1).join(",")})`,
  );
  test(`cgroupModeOf() of ${types.join(" ") || "nothing"} is ${mode}`, () => {
    expect(cgroupModeOf(parseMountInfo(text))).toBe(mode === "v2" ? "v2" : mode === "v1" ? "v1" : "hybrid");
  });
}

test("cgroupRoots() names each hierarchy once and leaves out parts of one", () => {
  const again = "6 1 0:2 / /mnt/cpu rw - cgroup cgroup rw,cpu\n";
  const part = "7 1 0:3 /docker /mnt/part rw - cgroup cgroup rw,pids\n";
  expect(cgroupRoots(parseMountInfo(CPU + again + part + UNIFIED))).toEqual([
    "/sys/fs/cgroup/cpu",
    "/sys/fs/cgroup/unified",
  ]);
});

test("parseCgroups() reads named, joint and v2 hierarchies", () => {
  expect(parseCgroups("9:name=systemd:/\n1:cpu,cpuacct:/a:b\n0::/x\n")).toEqual([
    { controllers: ["name=systemd"], path: "/" },
    { controllers: ["cpu", "cpuacct"], path: "/a:b" },
    { controllers: [], path: "/x" },
  ]);
});
