import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SystemCallError } from "./errno.ts";
import { mendHybrid, strayControllers } from "./hybrid-mend.ts";
import type { MountOptions } from "./kernel.ts";
import { recordingKernel } from "./recording-kernel.ts";

/** A host whose hierarchies are as said, with `controllers` owned by the v2 tree. */
function host(folder: string, hierarchies: string[], controllers: string) {
  const recording = recordingKernel();
  for (const name of hierarchies) {
    const target = join(folder, name);
    mkdirSync(target);
    recording.kernel.mount({ source: name, target, type: name === "unified" ? "cgroup2" : "cgroup" });
  }
  writeFileSync(join(folder, "unified/cgroup.controllers"), controllers);
  return recording;
}

const found: [string, string[], string, string[]][] = [
  [
    "a hybrid host whose v2 tree owns two controllers",
    ["cpu", "unified"],
    "hugetlb rdma\n",
    ["hugetlb", "rdma"],
  ],
  ["a hybrid host whose v2 tree owns none", ["cpu", "unified"], "\n", []],
  ["a v2 host", ["unified"], "cpu memory hugetlb\n", []],
];

for (const [what, hierarchies, controllers, stray] of found) {
  test(`strayControllers() of ${what} is ${stray.join(" ") || "nothing"}`, () => {
    using folder = mkdtempDisposableSync("/tmp/darse-hybrid-");
    expect(strayControllers(host(folder.path, hierarchies, controllers).kernel)).toEqual(stray);
  });
}

test("mendHybrid() mounts each as v1 beside the others", () => {
  using folder = mkdtempDisposableSync("/tmp/darse-hybrid-");
  const { kernel, calls } = host(folder.path, ["cpu", "unified"], "hugetlb\n");
  expect(mendHybrid(kernel)).toEqual(["hugetlb"]);
  const target = join(folder.path, "hugetlb");
  expect(existsSync(target)).toBe(true);
  expect(calls.at(-1)).toEqual(["mount", { source: "hugetlb", target, type: "cgroup", data: "hugetlb" }]);
});

const refused: [number, string, string][] = [
  [16, "conflict", "Cannot mount the cgroup controller hugetlb: a v2 cgroup uses it"],
  [1, "forbidden", "Cannot mount the cgroup controller hugetlb: it takes root"],
];

for (const [errno, kind, message] of refused) {
  test(`mendHybrid() says ${kind} when the mount is refused with ${errno}`, () => {
    using folder = mkdtempDisposableSync("/tmp/darse-hybrid-");
    const { kernel } = host(folder.path, ["cpu", "unified"], "hugetlb\n");
    const mount = ({ target }: MountOptions): never => {
      throw new SystemCallError("mount", errno, target);
    };
    expect(() => mendHybrid({ ...kernel, mounts: () => kernel.mounts(), mount })).toThrow(
      expect.objectContaining({ kind, message }),
    );
  });
}
