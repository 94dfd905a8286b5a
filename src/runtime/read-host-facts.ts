import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "#base/errors.ts";
import type { CgroupMode, MountEntry } from "#linux/kernel.ts";
import type { SpecDevice } from "#oci/runtime-spec.ts";
import { ALL_CAPABILITIES } from "./spec/capabilities.ts";
import type { CgroupFacts, HostFacts } from "./spec/host-facts.ts";

/** What of `linux/` the facts come from. */
export interface FactSource {
  cgroupMode(): CgroupMode;
  mounts(): MountEntry[];
}

/** `/proc/self/limits` calls them otherwise. */
const LIMIT_NAMES: Readonly<Record<string, string>> = {
  "Max cpu time": "RLIMIT_CPU",
  "Max file size": "RLIMIT_FSIZE",
  "Max data size": "RLIMIT_DATA",
  "Max stack size": "RLIMIT_STACK",
  "Max core file size": "RLIMIT_CORE",
  "Max resident set": "RLIMIT_RSS",
  "Max processes": "RLIMIT_NPROC",
  "Max open files": "RLIMIT_NOFILE",
  "Max locked memory": "RLIMIT_MEMLOCK",
  "Max address space": "RLIMIT_AS",
  "Max file locks": "RLIMIT_LOCKS",
  "Max pending signals": "RLIMIT_SIGPENDING",
  "Max msgqueue size": "RLIMIT_MSGQUEUE",
  "Max nice priority": "RLIMIT_NICE",
  "Max realtime priority": "RLIMIT_RTPRIO",
  "Max realtime timeout": "RLIMIT_RTTIME",
};

/** Node's name of an architecture to Go's. */
const ARCHITECTURE: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

/** Reads the facts of this host. Devices may come and go: read again for each privileged container. */
export function readHostFacts(source: FactSource): HostFacts {
  return {
    architecture: ARCHITECTURE[process.arch] ?? process.arch,
    kernel: kernelVersion(readFileSync("/proc/sys/kernel/osrelease", "utf8")),
    capabilities: boundingSet(readFileSync("/proc/self/status", "utf8")),
    hardLimits: hardLimits(readFileSync("/proc/self/limits", "utf8")),
    oomScoreAdj: Number(readFileSync("/proc/self/oom_score_adj", "utf8")),
    cgroup: cgroupFacts(source),
    thermalPaths: thermalPaths(),
    devices: hostDevices("/dev"),
    hasAppArmor: textOf("/sys/module/apparmor/parameters/enabled").startsWith("Y"),
  };
}

/** The device node at `hostPath`, to be made at `path` in a container; `undefined` when there is none. */
export function findDevice(hostPath: string, path: string): SpecDevice | undefined {
  const stat = unlessMissing(() => lstatSync(hostPath));
  if (!stat || !(stat.isCharacterDevice() || stat.isBlockDevice())) return undefined;
  return {
    path,
    type: stat.isBlockDevice() ? "b" : "c",
    // makedev(3): twelve bits of major and twenty of minor, interleaved.
    major: (stat.rdev >>> 8) & 0xfff,
    minor: (stat.rdev & 0xff) | ((stat.rdev >>> 12) & 0xfff00),
    fileMode: stat.mode & 0o777,
    uid: stat.uid,
    gid: stat.gid,
  };
}

function kernelVersion(release: string): [number, number] {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  return [major, minor];
}

function boundingSet(status: string): Set<string> {
  const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return new Set(ALL_CAPABILITIES.filter((_name, bit) => (mask >> BigInt(bit)) & 1n));
}

function hardLimits(text: string): Map<string, number> {
  const limits = new Map<string, number>();
  for (const line of text.split("\n").slice(1)) {
    const name = LIMIT_NAMES[line.slice(0, 26).trimEnd()];
    const hard = line.slice(26).trim().split(/\s+/)[1];
    if (name && hard) limits.set(name, hard === "unlimited" ? Infinity : Number(hard));
  }
  return limits;
}

function cgroupFacts(source: FactSource): CgroupFacts {
  const mode = source.cgroupMode();
  const mounts = source.mounts();
  if (mode === "v2") {
    const names = textOf("/sys/fs/cgroup/cgroup.controllers").trim().split(/\s+/);
    return {
      mode,
      controllers: new Set([
        ...names.map((name) => (name === "io" ? "blkio" : name)),
        // v2 has no real-time budget; weights are of every group but the root.
        ...(names.includes("io") ? ["blkio.weight", "blkio.weight_device"] : []),
      ]),
      // Absent in the root of v2; there it is the kernel's build and boot options that decide.
      hasSwapLimit: textOf("/proc/swaps") !== "",
    };
  }
  const v1 = mounts.filter(({ type }) => type === "cgroup");
  const memory = v1.find(({ superOptions }) => superOptions.includes("memory"));
  return {
    mode,
    controllers: new Set([
      ...v1.flatMap(({ superOptions }) => superOptions),
      ...FEATURES.filter(([, controller, file]) => hasFile(v1, controller, file)).map(([name]) => name),
    ]),
    hasSwapLimit: memory !== undefined && textOf(join(memory.target, "memory.memsw.limit_in_bytes")) !== "",
  };
}

/** What not every kernel has of a controller, by the file of cgroup v1 that shows it. */
const FEATURES: readonly (readonly [name: string, controller: string, file: string])[] = [
  ["blkio.weight", "blkio", "blkio.weight"],
  ["blkio.weight_device", "blkio", "blkio.weight_device"],
  ["cpu.rt", "cpu", "cpu.rt_runtime_us"],
];

function hasFile(v1: readonly MountEntry[], controller: string, file: string): boolean {
  const found = v1.find(({ superOptions }) => superOptions.includes(controller));
  return found !== undefined && unlessMissing(() => lstatSync(join(found.target, file))) !== undefined;
}

function thermalPaths(): string[] {
  const cpus = unlessMissing(() => readdirSync("/sys/devices/system/cpu")) ?? [];
  return cpus
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => `/sys/devices/system/cpu/${name}/thermal_throttle`)
    .filter((path) => unlessMissing(() => lstatSync(path)) !== undefined);
}

/** Every node below `/dev`, without the container's own: terminals, shared memory, queues. moby pkg/devices. */
function hostDevices(folder: string): SpecDevice[] {
  const entries = unlessMissing(() => readdirSync(folder, { withFileTypes: true })) ?? [];
  return entries.flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return OWN_FOLDERS.has(path) ? [] : hostDevices(path);
    if (path === "/dev/console") return [];
    const device = findDevice(path, path);
    return device ? [device] : [];
  });
}

const OWN_FOLDERS = new Set([
  "/dev/pts",
  "/dev/shm",
  "/dev/fd",
  "/dev/mqueue",
  "/dev/.lxc",
  "/dev/.lxd-mounts",
  "/dev/.udev",
]);

function textOf(path: string): string {
  return unlessMissing(() => readFileSync(path, "utf8")) ?? "";
}

function unlessMissing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ENXIO")) return undefined;
    throw error;
  }
}
