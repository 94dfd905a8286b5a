import type { ContainerCreateRequest, HostConfig } from "#api/containers.ts";
import type { Sparse } from "#api/sparse.ts";
import { EngineError } from "#base/errors.ts";
import type { containerFlags } from "./container-flags.ts";
import type { FlagValues } from "./flags.ts";
import { resolveEnv } from "./specs/env.ts";
import { parseHealth } from "./specs/health.ts";
import { parseExtraHost } from "./specs/host-names.ts";
import {
  cutAt,
  parseKeyValues,
  parseStrictKeyValues,
  type ReadText,
  readKeyValueFile,
} from "./specs/key-values.ts";
import { checkLink } from "./specs/link.ts";
import { parseMount } from "./specs/mount.ts";
import { type Networking, parseNetworking } from "./specs/network.ts";
import { parsePorts } from "./specs/ports.ts";
import {
  parseDevice,
  parseGpus,
  parseRestartPolicy,
  parseThrottleBytes,
  parseThrottleCount,
  parseUlimit,
  parseWeightDevice,
} from "./specs/resources.ts";
import { parseSecurityOptions } from "./specs/security.ts";
import { parseTmpfs, parseVolumes } from "./specs/volumes.ts";

export type ContainerFlags = FlagValues<typeof containerFlags>;

export interface RequestInput {
  readonly image: string;
  readonly command: readonly string[];
  readonly flags: ContainerFlags;
  readonly given: ReadonlySet<string>;
  /** Streams to attach to; empty when detached. */
  readonly attached: ReadonlySet<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Variables that a container gets where `--env` does not name them. */
  readonly defaults?: readonly (readonly [string, string])[];
  readonly workingDirectory: string;
  readonly read: ReadText;
  /** Of our terminal, for `--tty`. */
  readonly consoleSize?: readonly [number, number] | undefined;
}

/** The body of `POST /containers/create` for the flags of create and run. @throws {EngineError} invalid */
export function containerRequest(input: RequestInput): ContainerCreateRequest {
  const { flags, attached } = input;
  const { bindings, exposed } = parsePorts(flags.publish, flags.expose);
  const { binds, anonymous } = parseVolumes(flags.volume, input.workingDirectory);
  const networking = parseNetworking({
    networks: [...flags.network, ...flags.net],
    aliases: [...flags.networkAlias, ...flags.netAlias],
    ip: flags.ip,
    ip6: flags.ip6,
    linkLocalIps: flags.linkLocalIp,
    macAddress: flags.macAddress,
    links: flags.link,
  });
  return {
    Hostname: flags.hostname ?? "",
    Domainname: flags.domainname ?? "",
    User: flags.user ?? "",
    AttachStdin: attached.has("stdin"),
    AttachStdout: attached.has("stdout"),
    AttachStderr: attached.has("stderr"),
    ExposedPorts: Object.keys(exposed).length > 0 ? exposed : undefined,
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && attached.has("stdin"),
    Env: resolveEnv({
      files: flags.envFile,
      entries: [...flags.env, ...missingFrom(flags.env, input.defaults ?? [])],
      env: input.env,
      read: input.read,
    }),
    Cmd: input.command.length > 0 ? input.command : null,
    Healthcheck: parseHealth(flags),
    Image: input.image,
    Volumes: anonymous,
    WorkingDir: flags.workdir ?? "",
    Entrypoint: entrypoint(input),
    Labels: labels(input),
    StopSignal: flags.stopSignal,
    StopTimeout: flags.stopTimeout,
    HostConfig: hostConfig(input, { binds, bindings, networking }),
    NetworkingConfig: { EndpointsConfig: networking.endpoints },
  };
}

/** `NAME=value` of each that `entries` do not name. */
function missingFrom(entries: readonly string[], defaults: readonly (readonly [string, string])[]): string[] {
  const named = new Set(entries.map((entry) => cutAt(entry, "=")[0]));
  return defaults.filter(([name]) => !named.has(name)).map(([name, value]) => `${name}=${value}`);
}

/** `--entrypoint ""` takes the image's away, which the API says with one empty word. */
function entrypoint(input: RequestInput): readonly string[] | null {
  return input.given.has("entrypoint") ? [input.flags.entrypoint ?? ""] : null;
}

function labels(input: RequestInput): Record<string, string> {
  const fromFiles = input.flags.labelFile.flatMap((path) => readKeyValueFile(path, input.read));
  return parseKeyValues([...fromFiles, ...input.flags.label]);
}

interface HostParts {
  readonly binds: readonly string[];
  readonly bindings: HostConfig["PortBindings"];
  readonly networking: Networking;
}

function hostConfig(input: RequestInput, parts: HostParts): Sparse<HostConfig> {
  const { flags } = input;
  const security = parseSecurityOptions(flags.securityOpt, input.read);
  if (flags.rm && flags.restart !== undefined && !["", "no"].includes(flags.restart)) {
    throw new EngineError("invalid", "conflicting options: cannot specify both --restart and --rm");
  }
  return {
    ...resources(flags),
    Binds: parts.binds.length > 0 ? parts.binds : null,
    ContainerIDFile: flags.cidfile ?? "",
    LogConfig: { Type: flags.logDriver ?? "", Config: parseStrictKeyValues(flags.logOpt, "--log-opt") },
    NetworkMode: parts.networking.mode,
    PortBindings: parts.bindings,
    RestartPolicy: parseRestartPolicy(flags.restart),
    AutoRemove: flags.rm,
    VolumeDriver: flags.volumeDriver ?? "",
    VolumesFrom: list(flags.volumesFrom),
    Mounts: list(flags.mount)?.map((text) => parseMount(text, input.workingDirectory)),
    ConsoleSize: input.consoleSize ?? [0, 0],
    Annotations:
      flags.annotation.length > 0 ? parseStrictKeyValues(flags.annotation, "--annotation") : undefined,
    CapAdd: list(flags.capAdd),
    CapDrop: list(flags.capDrop),
    CgroupnsMode: flags.cgroupns ?? "",
    Dns: flags.dns,
    DnsOptions: [...flags.dnsOption, ...flags.dnsOpt],
    DnsSearch: flags.dnsSearch,
    ExtraHosts: list(flags.addHost)?.map(parseExtraHost) ?? null,
    GroupAdd: list(flags.groupAdd),
    IpcMode: flags.ipc ?? "",
    Links:
      parts.networking.mode === "default" || parts.networking.mode === "bridge"
        ? list(flags.link.map(checkLink))
        : null,
    OomScoreAdj: flags.oomScoreAdj ?? 0,
    PidMode: flags.pid ?? "",
    Privileged: flags.privileged,
    PublishAllPorts: flags.publishAll,
    ReadonlyRootfs: flags.readOnly,
    SecurityOpt: list(security.options),
    StorageOpt:
      flags.storageOpt.length > 0 ? parseStrictKeyValues(flags.storageOpt, "--storage-opt") : undefined,
    Tmpfs: flags.tmpfs.length > 0 ? parseTmpfs(flags.tmpfs) : undefined,
    UTSMode: flags.uts ?? "",
    UsernsMode: flags.userns ?? "",
    ShmSize: flags.shmSize ?? 0,
    Sysctls: flags.sysctl.length > 0 ? parseStrictKeyValues(flags.sysctl, "--sysctl") : undefined,
    Runtime: flags.runtime ?? "",
    Isolation: flags.isolation ?? "",
    Init: input.given.has("init") ? flags.init : undefined,
    ...(security.hasOpenSystemPaths && { MaskedPaths: [], ReadonlyPaths: [] }),
  };
}

function resources(flags: ContainerFlags): Sparse<HostConfig> {
  return {
    CpuShares: flags.cpuShares ?? 0,
    Memory: flags.memory ?? 0,
    NanoCpus: Math.round((flags.cpus ?? 0) * 1e9),
    CgroupParent: flags.cgroupParent ?? "",
    BlkioWeight: flags.blkioWeight ?? 0,
    BlkioWeightDevice: flags.blkioWeightDevice.map(parseWeightDevice),
    BlkioDeviceReadBps: flags.deviceReadBps.map(parseThrottleBytes),
    BlkioDeviceWriteBps: flags.deviceWriteBps.map(parseThrottleBytes),
    BlkioDeviceReadIOps: flags.deviceReadIops.map(parseThrottleCount),
    BlkioDeviceWriteIOps: flags.deviceWriteIops.map(parseThrottleCount),
    CpuPeriod: flags.cpuPeriod ?? 0,
    CpuQuota: flags.cpuQuota ?? 0,
    CpuRealtimePeriod: flags.cpuRtPeriod ?? 0,
    CpuRealtimeRuntime: flags.cpuRtRuntime ?? 0,
    CpusetCpus: flags.cpusetCpus ?? "",
    CpusetMems: flags.cpusetMems ?? "",
    Devices: flags.device.map(parseDevice),
    DeviceCgroupRules: list(flags.deviceCgroupRule),
    DeviceRequests: list(flags.gpus)?.map(parseGpus) ?? null,
    MemoryReservation: flags.memoryReservation ?? 0,
    MemorySwap: flags.memorySwap ?? 0,
    MemorySwappiness: flags.memorySwappiness ?? null,
    OomKillDisable: flags.oomKillDisable,
    PidsLimit: flags.pidsLimit ?? null,
    Ulimits: flags.ulimit.map(parseUlimit),
    CpuCount: flags.cpuCount ?? 0,
    CpuPercent: flags.cpuPercent ?? 0,
    IOMaximumIOps: flags.ioMaxiops ?? 0,
    IOMaximumBandwidth: flags.ioMaxbandwidth ?? 0,
  };
}

/** `null` instead of an empty list: "not said". */
function list(values: readonly string[]): readonly string[] | null {
  return values.length > 0 ? values : null;
}
