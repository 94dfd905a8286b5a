import type { Descriptor } from "./images.ts";
import type { Mount, MountPoint } from "./mounts.ts";
import type { Sparse } from "./sparse.ts";

// Engine API v1.55, containers. The complete types are what inspect and list answer (every key present unless marked
// optional, as Docker's server writes them); requests are the `Sparse` form of the same types.

/** Health check of an image or a container; times in nanoseconds, 0 = inherit. `Test[0]`: NONE, CMD or CMD-SHELL. */
export interface HealthConfig {
  readonly Test?: readonly string[] | undefined;
  readonly Interval?: number | undefined;
  readonly Timeout?: number | undefined;
  readonly Retries?: number | undefined;
  readonly StartPeriod?: number | undefined;
  readonly StartInterval?: number | undefined;
}

/** `{"80/tcp": {}}` */
export type PortSet = Readonly<Record<string, Readonly<Record<string, never>>>>;

/** What a container runs: `Config` of inspect and the top level of a create request. */
export interface ContainerConfig {
  readonly Hostname: string;
  readonly Domainname: string;
  readonly User: string;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  readonly ExposedPorts?: PortSet | undefined;
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  readonly StdinOnce: boolean;
  readonly Env: readonly string[] | null;
  readonly Cmd: readonly string[] | null;
  readonly Healthcheck?: HealthConfig | undefined;
  readonly ArgsEscaped?: boolean | undefined;
  readonly Image: string;
  readonly Volumes: Readonly<Record<string, Readonly<Record<string, never>>>> | null;
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[] | null;
  readonly NetworkDisabled?: boolean | undefined;
  readonly OnBuild?: readonly string[] | null | undefined;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly StopSignal?: string | undefined;
  readonly StopTimeout?: number | undefined;
  readonly Shell?: readonly string[] | undefined;
}

export interface PortBinding {
  readonly HostIp: string;
  /** Text; "" or "0" asks for any port; `8000-8010` asks for the first free one. */
  readonly HostPort: string;
}

/** `{"80/tcp": [{HostIp, HostPort}]}`; `null` for a port that is exposed and not published. */
export type PortMap = Readonly<Record<string, readonly PortBinding[] | null>>;

export interface DeviceMapping {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  /** Some of `rwm`. */
  readonly CgroupPermissions: string;
}

export interface DeviceRequest {
  readonly Driver: string;
  /** -1: all. */
  readonly Count: number;
  readonly DeviceIDs: readonly string[] | null;
  readonly Capabilities: readonly (readonly string[])[];
  readonly Options: Readonly<Record<string, string>>;
}

export interface ThrottleDevice {
  readonly Path: string;
  readonly Rate: number;
}

export interface Ulimit {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}

export interface RestartPolicy {
  /** "no", "always", "unless-stopped", "on-failure"; "" reads as "no". */
  readonly Name: string;
  readonly MaximumRetryCount: number;
}

export interface LogConfig {
  readonly Type: string;
  readonly Config: Readonly<Record<string, string>> | null;
}

/** The part of `HostConfig` that limits resources; memory in bytes, CPU times in microseconds. */
export interface Resources {
  readonly CpuShares: number;
  readonly Memory: number;
  readonly NanoCpus: number;
  readonly CgroupParent: string;
  readonly BlkioWeight: number;
  readonly BlkioWeightDevice: readonly { readonly Path: string; readonly Weight: number }[] | null;
  readonly BlkioDeviceReadBps: readonly ThrottleDevice[] | null;
  readonly BlkioDeviceWriteBps: readonly ThrottleDevice[] | null;
  readonly BlkioDeviceReadIOps: readonly ThrottleDevice[] | null;
  readonly BlkioDeviceWriteIOps: readonly ThrottleDevice[] | null;
  readonly CpuPeriod: number;
  readonly CpuQuota: number;
  readonly CpuRealtimePeriod: number;
  readonly CpuRealtimeRuntime: number;
  readonly CpusetCpus: string;
  readonly CpusetMems: string;
  readonly Devices: readonly DeviceMapping[] | null;
  readonly DeviceCgroupRules: readonly string[] | null;
  readonly DeviceRequests: readonly DeviceRequest[] | null;
  readonly MemoryReservation: number;
  readonly MemorySwap: number;
  readonly MemorySwappiness: number | null;
  readonly OomKillDisable: boolean | null;
  readonly PidsLimit: number | null;
  readonly Ulimits: readonly Ulimit[] | null;
  readonly CpuCount: number;
  readonly CpuPercent: number;
  readonly IOMaximumIOps: number;
  readonly IOMaximumBandwidth: number;
}

/** How a container meets the host. */
export interface HostConfig extends Resources {
  readonly Binds: readonly string[] | null;
  readonly ContainerIDFile: string;
  readonly LogConfig: LogConfig;
  readonly NetworkMode: string;
  readonly PortBindings: PortMap | null;
  readonly RestartPolicy: RestartPolicy;
  readonly AutoRemove: boolean;
  readonly VolumeDriver: string;
  readonly VolumesFrom: readonly string[] | null;
  readonly Mounts?: readonly Mount[] | undefined;
  /** [height, width] */
  readonly ConsoleSize: readonly [number, number];
  readonly Annotations?: Readonly<Record<string, string>> | undefined;
  readonly CapAdd: readonly string[] | null;
  readonly CapDrop: readonly string[] | null;
  readonly CgroupnsMode: string;
  readonly Dns: readonly string[] | null;
  readonly DnsOptions: readonly string[] | null;
  readonly DnsSearch: readonly string[] | null;
  readonly ExtraHosts: readonly string[] | null;
  readonly GroupAdd: readonly string[] | null;
  readonly IpcMode: string;
  readonly Cgroup: string;
  readonly Links: readonly string[] | null;
  readonly OomScoreAdj: number;
  readonly PidMode: string;
  readonly Privileged: boolean;
  readonly PublishAllPorts: boolean;
  readonly ReadonlyRootfs: boolean;
  readonly SecurityOpt: readonly string[] | null;
  readonly StorageOpt?: Readonly<Record<string, string>> | undefined;
  readonly Tmpfs?: Readonly<Record<string, string>> | undefined;
  readonly UTSMode: string;
  readonly UsernsMode: string;
  readonly ShmSize: number;
  readonly Sysctls?: Readonly<Record<string, string>> | undefined;
  readonly Runtime: string;
  readonly Isolation: string;
  readonly Init?: boolean | undefined;
  readonly MaskedPaths: readonly string[] | null;
  readonly ReadonlyPaths: readonly string[] | null;
}

export interface EndpointIpamConfig {
  readonly IPv4Address?: string | undefined;
  readonly IPv6Address?: string | undefined;
  readonly LinkLocalIPs?: readonly string[] | undefined;
}

/** One network of a container. */
export interface EndpointSettings {
  readonly IPAMConfig: EndpointIpamConfig | null;
  readonly Links: readonly string[] | null;
  readonly Aliases: readonly string[] | null;
  readonly DriverOpts: Readonly<Record<string, string>> | null;
  readonly GwPriority: number;
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly Gateway: string;
  readonly IPAddress: string;
  readonly MacAddress: string;
  readonly IPPrefixLen: number;
  readonly IPv6Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly GlobalIPv6PrefixLen: number;
  readonly DNSNames: readonly string[] | null;
}

/** `POST /containers/create` */
export interface ContainerCreateRequest extends Sparse<ContainerConfig> {
  readonly HostConfig?: Sparse<HostConfig> | undefined;
  readonly NetworkingConfig?:
    | { readonly EndpointsConfig?: Readonly<Record<string, Sparse<EndpointSettings>>> | undefined }
    | undefined;
}

export interface ContainerCreateResponse {
  readonly Id: string;
  readonly Warnings: readonly string[];
}

export type ContainerStatus =
  | "created"
  | "running"
  | "paused"
  | "restarting"
  | "removing"
  | "exited"
  | "dead";

/** `POST /containers/{id}/wait` */
export interface ContainerWaitResponse {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string } | undefined;
}

export type WaitCondition = "not-running" | "next-exit" | "removed";

/** `GET /containers/{id}/json` is in container-inspect.ts; `GET /containers/json` is a list of these. */
export interface ContainerSummary {
  readonly Id: string;
  /** Each with its leading slash. */
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly ImageManifestDescriptor?: Descriptor | undefined;
  readonly Command: string;
  /** Epoch seconds. */
  readonly Created: number;
  readonly Ports: readonly PortSummary[];
  readonly SizeRw?: number | undefined;
  readonly SizeRootFs?: number | undefined;
  readonly Labels: Readonly<Record<string, string>>;
  readonly State: ContainerStatus;
  /** `Up 3 seconds`, `Exited (0) 2 minutes ago` */
  readonly Status: string;
  readonly HostConfig: {
    readonly NetworkMode: string;
    readonly Annotations?: Readonly<Record<string, string>> | undefined;
  };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, EndpointSettings>> };
  readonly Mounts: readonly MountPoint[];
  readonly Health?: { readonly Status: string; readonly FailingStreak: number } | undefined;
}

export interface PortSummary {
  readonly IP?: string | undefined;
  readonly PrivatePort: number;
  readonly PublicPort?: number | undefined;
  readonly Type: string;
}

/** `POST /containers/prune`. */
export interface ContainerPruneReport {
  readonly ContainersDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
