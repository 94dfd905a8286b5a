import { Fields } from "#base/decode.ts";
import {
  amount,
  type Decoded,
  decodeTable,
  documents,
  encodeTable,
  type Field,
  flag,
  nested,
  optionalFlag,
  optionalInteger,
  optionalNested,
  shortText,
  text,
  textMap,
  texts,
} from "./field-table.ts";

const THROTTLE_DEVICE = { path: text("Path"), rate: amount("Rate") } as const;
const WEIGHT_DEVICE = { path: text("Path"), weight: amount("Weight") } as const;

const ULIMIT = {
  name: text("Name"),
  soft: optionalInteger("Soft", { absent: 0 }),
  hard: optionalInteger("Hard", { absent: 0 }),
} as const;

const DEVICE_MAPPING = {
  pathOnHost: text("PathOnHost"),
  pathInContainer: text("PathInContainer"),
  cgroupPermissions: text("CgroupPermissions"),
} as const;

const DEVICE_REQUEST = {
  driver: text("Driver"),
  count: amount("Count"),
  deviceIds: texts("DeviceIDs"),
  capabilities: textLists("Capabilities"),
  options: textMap("Options"),
} as const;

/** Limits that `update` may change later. Engine API 1.56, definition Resources. */
const RESOURCES = {
  cpuShares: amount("CpuShares"),
  memoryBytes: amount("Memory"),
  nanoCpus: amount("NanoCpus"),
  cgroupParent: text("CgroupParent"),
  blkioWeight: amount("BlkioWeight"),
  blkioWeightDevice: documents("BlkioWeightDevice", WEIGHT_DEVICE, { absent: [] }),
  blkioDeviceReadBps: documents("BlkioDeviceReadBps", THROTTLE_DEVICE, { absent: [] }),
  blkioDeviceWriteBps: documents("BlkioDeviceWriteBps", THROTTLE_DEVICE, { absent: [] }),
  blkioDeviceReadIops: documents("BlkioDeviceReadIOps", THROTTLE_DEVICE, { absent: [] }),
  blkioDeviceWriteIops: documents("BlkioDeviceWriteIOps", THROTTLE_DEVICE, { absent: [] }),
  cpuPeriod: amount("CpuPeriod"),
  cpuQuota: amount("CpuQuota"),
  cpuRealtimePeriod: amount("CpuRealtimePeriod"),
  cpuRealtimeRuntime: amount("CpuRealtimeRuntime"),
  cpusetCpus: text("CpusetCpus"),
  cpusetMems: text("CpusetMems"),
  devices: documents("Devices", DEVICE_MAPPING, { absent: [] }),
  deviceCgroupRules: texts("DeviceCgroupRules"),
  deviceRequests: documents("DeviceRequests", DEVICE_REQUEST),
  memoryReservationBytes: amount("MemoryReservation"),
  /** Memory and swap together; -1 is unlimited. */
  memorySwapBytes: amount("MemorySwap"),
  /** 0 to 100; -1 says "not set", as older clients write it. */
  memorySwappiness: optionalInteger("MemorySwappiness"),
  oomKillDisable: optionalFlag("OomKillDisable"),
  /** Absent is unlimited. */
  pidsLimit: optionalInteger("PidsLimit"),
  ulimits: documents("Ulimits", ULIMIT, { absent: [] }),
  cpuCount: amount("CpuCount"),
  cpuPercent: amount("CpuPercent"),
  ioMaximumIops: amount("IOMaximumIOps"),
  ioMaximumBandwidth: amount("IOMaximumBandwidth"),
} as const;

const BIND_OPTIONS = {
  propagation: shortText("Propagation"),
  nonRecursive: flag("NonRecursive"),
  createMountpoint: flag("CreateMountpoint"),
  readOnlyNonRecursive: flag("ReadOnlyNonRecursive"),
  readOnlyForceRecursive: flag("ReadOnlyForceRecursive"),
} as const;

const VOLUME_OPTIONS = {
  noCopy: flag("NoCopy"),
  labels: textMap("Labels", { absent: undefined }),
  driverConfig: optionalNested("DriverConfig", { name: shortText("Name"), options: textMap("Options") }),
  subpath: shortText("Subpath"),
} as const;

const TMPFS_OPTIONS = {
  sizeBytes: amount("SizeBytes"),
  mode: optionalInteger("Mode", { absent: undefined }),
  options: textLists("Options"),
} as const;

/** Engine API 1.56, definition Mount. */
const MOUNT_REQUEST = {
  type: text("Type"),
  source: shortText("Source"),
  target: text("Target"),
  readOnly: flag("ReadOnly"),
  consistency: shortText("Consistency"),
  bindOptions: optionalNested("BindOptions", BIND_OPTIONS),
  volumeOptions: optionalNested("VolumeOptions", VOLUME_OPTIONS),
  imageOptions: optionalNested("ImageOptions", { subpath: shortText("Subpath") }),
  tmpfsOptions: optionalNested("TmpfsOptions", TMPFS_OPTIONS),
} as const;

export type MountRequest = Decoded<typeof MOUNT_REQUEST>;

const PORT_BINDING = { hostIp: text("HostIp"), hostPort: text("HostPort") } as const;

/** Engine API 1.56, definition HostConfig. */
export const HOST_CONFIG = {
  ...RESOURCES,
  binds: texts("Binds"),
  containerIdFile: text("ContainerIDFile"),
  logConfig: nested("LogConfig", { type: text("Type"), config: textMap("Config") }),
  /** `bridge`, `host`, `none`, `container:<id>` or a network. */
  networkMode: text("NetworkMode"),
  /** By port, `80/tcp`. */
  portBindings: portBindings("PortBindings"),
  restartPolicy: nested("RestartPolicy", {
    name: text("Name"),
    maximumRetryCount: amount("MaximumRetryCount"),
  }),
  autoRemove: flag("AutoRemove"),
  volumeDriver: text("VolumeDriver"),
  volumesFrom: texts("VolumesFrom"),
  mounts: documents("Mounts", MOUNT_REQUEST, { absent: undefined }),
  /** Rows, columns. */
  consoleSize: pair("ConsoleSize"),
  annotations: textMap("Annotations", { absent: undefined }),
  capAdd: texts("CapAdd"),
  capDrop: texts("CapDrop"),
  cgroupnsMode: text("CgroupnsMode"),
  dns: texts("Dns"),
  dnsOptions: texts("DnsOptions"),
  dnsSearch: texts("DnsSearch"),
  extraHosts: texts("ExtraHosts"),
  groupAdd: texts("GroupAdd"),
  ipcMode: text("IpcMode"),
  cgroup: text("Cgroup"),
  links: texts("Links"),
  oomScoreAdj: amount("OomScoreAdj"),
  pidMode: text("PidMode"),
  privileged: flag("Privileged"),
  publishAllPorts: flag("PublishAllPorts"),
  readonlyRootfs: flag("ReadonlyRootfs"),
  securityOpt: texts("SecurityOpt"),
  storageOpt: textMap("StorageOpt", { absent: undefined }),
  /** Options by path. */
  tmpfs: textMap("Tmpfs", { absent: undefined }),
  utsMode: text("UTSMode"),
  usernsMode: text("UsernsMode"),
  shmSizeBytes: amount("ShmSize"),
  sysctls: textMap("Sysctls", { absent: undefined }),
  runtime: text("Runtime"),
  isolation: text("Isolation"),
  /** Absent: the default list; empty: none. */
  maskedPaths: texts("MaskedPaths"),
  readonlyPaths: texts("ReadonlyPaths"),
  init: optionalFlag("Init"),
} as const;

/** How a container runs on this host. */
export type HostConfig = Decoded<typeof HOST_CONFIG>;

export type PortBindingRequest = Decoded<typeof PORT_BINDING>;

/** What is asked of one network. Engine API 1.56, definition EndpointSettings, its first half. */
export const ENDPOINT_CONFIG = {
  ipam: optionalNested("IPAMConfig", {
    ipv4: shortText("IPv4Address"),
    ipv6: shortText("IPv6Address"),
    linkLocal: texts("LinkLocalIPs", { absent: undefined }),
  }),
  links: texts("Links"),
  macAddress: text("MacAddress"),
  aliases: texts("Aliases"),
  driverOpts: textMap("DriverOpts", { absent: null }),
  gatewayPriority: amount("GwPriority"),
  /** Of the network, once it is known which is meant. */
  networkId: shortText("NetworkID"),
} as const;

export type EndpointConfig = Decoded<typeof ENDPOINT_CONFIG>;

/** An endpoint of which nothing is asked. */
export const PLAIN_ENDPOINT: EndpointConfig = decodeTable(ENDPOINT_CONFIG, new Fields({}));

function portBindings(key: string): Field<ReadonlyMap<string, readonly PortBindingRequest[]>> {
  return {
    key,
    decode: (fields) =>
      fields.map(key, (value, path) =>
        (new Fields({ list: value }, path).list("list", (one, at) => new Fields(one, at)) ?? []).map((one) =>
          decodeTable(PORT_BINDING, one),
        ),
      ) ?? new Map(),
    encode: (value) =>
      Object.fromEntries(
        [...value].map(([port, bindings]) => [
          port,
          bindings.map((binding) => encodeTable(PORT_BINDING, binding)),
        ]),
      ),
  };
}

function pair(key: string): Field<readonly [number, number]> {
  return {
    key,
    decode(fields) {
      const [rows = 0, columns = 0] =
        fields.list(key, (value) => (typeof value === "number" ? value : 0)) ?? [];
      return [rows, columns];
    },
    encode: (value) => value,
  };
}

function textLists(key: string): Field<readonly (readonly string[])[]> {
  return {
    key,
    decode: (fields) =>
      fields.list(key, (value, path) => new Fields({ list: value }, path).strings("list") ?? []) ?? [],
    encode: (value) => (value.length > 0 ? value : undefined),
  };
}
