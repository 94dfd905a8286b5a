import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import { realMounts } from "./_mounts.ts";
import { cgroupModeOf, cgroupRoots } from "./cgroups.ts";
import type { Host } from "./kernel.ts";

export const realHost: Host = {
  cgroupMode: () => cgroupModeOf(realMounts.mounts()),

  joinRootCgroups() {
    for (const root of cgroupRoots(realMounts.mounts())) {
      writeFileSync(join(root, "cgroup.procs"), String(process.pid));
    }
  },

  readSysctl: (name) => readFileSync(sysctlPath(name), "utf8").trimEnd(),

  writeSysctl(name, value) {
    if (realHost.readSysctl(name) !== value) writeFileSync(sysctlPath(name), value);
  },
};

/** `net.ipv4.conf.eth0/1.rp_filter` is `/proc/sys/net/ipv4/conf/eth0.1/rp_filter`, as in `sysctl(8)`. */
function sysctlPath(name: string): string {
  const parts = name.split(".").map((part) => part.replaceAll("/", "."));
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0"))) {
    throw new EngineError(
      "invalid",
      `Cannot find the kernel setting ${JSON.stringify(name)}: it is not a name`,
    );
  }
  return join("/proc/sys", ...parts);
}
