import type { SpecRlimit } from "#oci/runtime-spec.ts";
import { assembleEnv } from "#runtime/spec/env.ts";
import { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS } from "#runtime/spec/protected-paths.ts";
import type {
  MountInput,
  NamespaceInput,
  Propagation,
  ResourceInput,
  ShmInput,
  SpecInput,
} from "#runtime/spec/spec-input.ts";
import type { ResolvedUser } from "#runtime/spec/user.ts";
import { deviceNumbers, hostDevices, parseDeviceRule, throttle } from "./devices.ts";
import type { ContainerPaths } from "./folders.ts";
import type { HostConfig } from "./host-config.ts";
import type { MountPoint } from "./mount-point.ts";
import { commandOf, type ContainerRecord } from "./record.ts";
import { parseSecurityOptions } from "./security-options.ts";

/** What a specification needs beside the record. */
export interface SpecFacts {
  readonly user: ResolvedUser;
  readonly hostname: string;
  /** Of the container whose files of `/etc` are mounted: its own, or the one it shares a network with. */
  readonly etc: Pick<ContainerPaths, "hostname" | "hosts" | "resolvConf">;
  readonly rootfs: string;
  /** `undefined`: the host's. */
  readonly networkNamespace: string | undefined;
  /** Of the container whose processes are shared. */
  readonly pidNamespace: string | undefined;
  /** Of the container whose IPC objects are shared. */
  readonly ipcNamespace: string | undefined;
  /** Shared memory that lies on the host, because several containers have it. */
  readonly shmPath: string | undefined;
  /** What legacy links tell. */
  readonly linkEnv: readonly string[];
  /** Where a mount's source lies on this host. */
  sourceOf(mount: MountPoint): string;
  readonly initPath: string | undefined;
}

/** Everything a container's specification is made from. @throws {EngineError} invalid */
export function specInput(record: ContainerRecord, facts: SpecFacts): SpecInput {
  const { config, hostConfig: host } = record;
  const security = parseSecurityOptions(host.securityOpt ?? []);
  const [rows, columns] = host.consoleSize;
  return {
    args: commandOf(record),
    env: assembleEnv({
      hostname: facts.hostname,
      tty: config.tty,
      home: facts.user.home,
      env: [...facts.linkEnv, ...(config.env ?? [])],
    }),
    cwd: config.workingDir ?? "/",
    user: facts.user,
    tty: config.tty,
    ...(config.tty && rows > 0 && columns > 0 && { consoleSize: { rows, columns } }),
    rootfs: facts.rootfs,
    isRootReadOnly: host.readonlyRootfs,
    hostname: facts.hostname,
    ...(config.domainname !== undefined && { domainname: config.domainname }),
    mounts: [...etcMounts(facts, record.mounts), ...record.mounts.map((mount) => mountInput(mount, facts))],
    shm: shmInput(host, facts),
    capabilities: { add: host.capAdd ?? [], drop: host.capDrop ?? [] },
    isPrivileged: host.privileged,
    noNewPrivileges: security.noNewPrivileges,
    ...(security.seccomp !== undefined && { seccomp: security.seccomp }),
    ...(security.apparmor !== undefined && { apparmor: security.apparmor }),
    resources: resourceInput(host),
    namespaces: namespaceInput(host, facts),
    cgroupPath: cgroupPathOf(record),
    rlimits: host.ulimits.map(rlimit),
    devices: host.devices.flatMap(hostDevices),
    deviceRules: (host.deviceCgroupRules ?? []).map(parseDeviceRule),
    ...(security.isUnmasked ? { maskedPaths: [], readonlyPaths: [] } : maskChoice(host)),
    sysctls: Object.fromEntries(host.sysctls),
    annotations: Object.fromEntries(host.annotations),
    ...(host.oomScoreAdj !== undefined && { oomScoreAdj: host.oomScoreAdj }),
    ...(facts.initPath !== undefined && { init: { path: facts.initPath } }),
  };
}

/** The lists were filled at create; Docker's are left to the runtime, which adds what this host's kernel has. */
function maskChoice({
  maskedPaths,
  readonlyPaths,
}: HostConfig): Pick<SpecInput, "maskedPaths" | "readonlyPaths"> {
  return {
    ...(maskedPaths && !isSameList(maskedPaths, DEFAULT_MASKED_PATHS) && { maskedPaths }),
    ...(readonlyPaths && !isSameList(readonlyPaths, DEFAULT_READONLY_PATHS) && { readonlyPaths }),
  };
}

function isSameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((entry, index) => entry === right[index]);
}

/** Docker's own three, unless something is mounted there. */
function etcMounts({ etc }: SpecFacts, mounts: readonly MountPoint[]): MountInput[] {
  const taken = new Set(mounts.map(({ destination }) => destination));
  const files: [string, string][] = [
    ["/etc/resolv.conf", etc.resolvConf],
    ["/etc/hostname", etc.hostname],
    ["/etc/hosts", etc.hosts],
  ];
  return files
    .filter(([destination]) => !taken.has(destination))
    .map(([destination, source]) => ({ type: "bind", source, destination, propagation: "rprivate" }));
}

function mountInput(mount: MountPoint, facts: SpecFacts): MountInput {
  const { destination = "", isWritable, options } = mount;
  if (mount.type === "tmpfs") return { type: "tmpfs", destination, options: tmpfsOptions(mount) };
  return {
    type: "bind",
    source: facts.sourceOf(mount),
    destination,
    isReadOnly: !isWritable,
    readOnlyIsShallow: options?.readOnlyNonRecursive ?? false,
    isRecursive: !(options?.nonRecursive ?? false),
    propagation: asPropagation(mount.propagation),
  };
}

function tmpfsOptions(mount: MountPoint): string[] {
  return [
    ...(mount.tmpfsOptions ?? []),
    ...(mount.isWritable || mount.tmpfsOptions?.includes("ro") ? [] : ["ro"]),
    ...(mount.tmpfsSizeBytes === undefined ? [] : [`size=${mount.tmpfsSizeBytes}`]),
    ...(mount.tmpfsMode === undefined ? [] : [`mode=${mount.tmpfsMode.toString(8)}`]),
  ];
}

function asPropagation(text: string | undefined): Propagation {
  switch (text) {
    case "private":
    case "shared":
    case "rshared":
    case "slave":
    case "rslave":
      return text;
    default:
      return "rprivate";
  }
}

function shmInput({ ipcMode, shmSizeBytes }: HostConfig, { shmPath }: SpecFacts): ShmInput {
  if (shmPath !== undefined) return { path: shmPath };
  if (ipcMode === "none") return { isAbsent: true };
  if (ipcMode === "host") return { path: "/dev/shm" };
  return { sizeBytes: shmSizeBytes ?? 0 };
}

function namespaceInput(host: HostConfig, facts: SpecFacts): NamespaceInput {
  return {
    network: facts.networkNamespace === undefined ? "host" : { path: facts.networkNamespace },
    ...(host.pidMode === "host" && { pid: "host" }),
    ...(facts.pidNamespace !== undefined && { pid: { path: facts.pidNamespace } }),
    ...(host.ipcMode === "host" && { ipc: "host" }),
    ...(facts.ipcNamespace !== undefined && { ipc: { path: facts.ipcNamespace } }),
    ...(host.utsMode === "host" && { uts: "host" }),
    cgroup: host.cgroupnsMode === "host" ? "host" : "private",
  };
}

/** Where its cgroups are, in every hierarchy. */
export function cgroupPathOf({ id, hostConfig }: Pick<ContainerRecord, "id" | "hostConfig">): string {
  return `/${(hostConfig.cgroupParent ?? "darse").replaceAll(/^\/+|\/+$/g, "")}/${id}`;
}

/** Limits as the runtime takes them. */
export function resourceInput(host: HostConfig): ResourceInput {
  const numbers = {
    memoryBytes: host.memoryBytes,
    memoryReservationBytes: host.memoryReservationBytes,
    memorySwapBytes: host.memorySwapBytes,
    memorySwappiness: host.memorySwappiness,
    isOomKillDisabled: host.oomKillDisable,
    nanoCpus: host.nanoCpus,
    cpuShares: host.cpuShares,
    cpuQuotaUs: host.cpuQuota,
    cpuPeriodUs: host.cpuPeriod,
    cpuRealtimeRuntimeUs: host.cpuRealtimeRuntime,
    cpuRealtimePeriodUs: host.cpuRealtimePeriod,
    cpusetCpus: host.cpusetCpus,
    cpusetMems: host.cpusetMems,
    pidsLimit: host.pidsLimit,
    blockIoWeight: host.blkioWeight,
  };
  return {
    ...withoutAbsent(numbers),
    blockIoWeightDevices: host.blkioWeightDevice.map(({ path, weight = 0 }) => ({
      ...deviceNumbers(path),
      weight,
    })),
    readBps: host.blkioDeviceReadBps.map(throttle),
    writeBps: host.blkioDeviceWriteBps.map(throttle),
    readIops: host.blkioDeviceReadIops.map(throttle),
    writeIops: host.blkioDeviceWriteIops.map(throttle),
  };
}

function rlimit({ name = "", soft = 0, hard = 0 }: HostConfig["ulimits"][number]): SpecRlimit {
  return { type: `RLIMIT_${name.toUpperCase()}`, soft, hard };
}

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

function withoutAbsent<T extends object>(value: T): Present<T> {
  // Only keys without a value are taken away.
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as Present<T>;
}
