import { formatPlatform, type Platform } from "#oci/platform.ts";
import { PRODUCT, VERSION } from "#api/product.ts";
import type { SystemInfo, SystemVersion } from "#api/system.ts";
import { NEWEST_API, OLDEST_API } from "#api/version.ts";
import type { RegistrySettings } from "#registry/settings.ts";
import { encodeRegistryInfo } from "./registry-info.ts";

/** What `/version` and `/info` say of the machine. */
export interface HostFacts {
  readonly hostname: string;
  readonly kernelVersion: string;
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly operatingSystem: string;
  readonly osVersion: string;
  /** As `uname -m`: `x86_64`. */
  readonly machine: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
}

/** What `/info` says of the engine at this moment. */
export interface EngineState {
  readonly id: string;
  readonly containers: { readonly running: number; readonly paused: number; readonly stopped: number };
  readonly images: number;
  readonly rootDirectory: string;
  readonly backingFilesystem: string;
  readonly cgroupVersion: "1" | "2";
  readonly hasIpForward: boolean;
  readonly openFiles: number;
  readonly eventListeners: number;
  readonly runtimes: ReadonlyMap<string, string>;
  readonly defaultRuntime: string;
  readonly nowMs: number;
  readonly isDebug: boolean;
  readonly registries: RegistrySettings;
}

export function encodeVersion(host: HostFacts, platform: Platform): SystemVersion {
  return {
    Platform: { Name: PRODUCT },
    Version: VERSION,
    ApiVersion: NEWEST_API.toString(),
    MinAPIVersion: OLDEST_API.toString(),
    Os: platform.os,
    Arch: platform.architecture,
    KernelVersion: host.kernelVersion,
    GitCommit: "",
    GoVersion: "",
    BuildTime: "",
    Components: [
      {
        Name: "Engine",
        Version: VERSION,
        Details: {
          ApiVersion: NEWEST_API.toString(),
          MinAPIVersion: OLDEST_API.toString(),
          Os: platform.os,
          Arch: platform.architecture,
          KernelVersion: host.kernelVersion,
          Experimental: "false",
          Platform: formatPlatform(platform),
        },
      },
    ],
  };
}

export function encodeInfo(host: HostFacts, engine: EngineState): SystemInfo {
  const { running, paused, stopped } = engine.containers;
  return {
    ID: engine.id,
    Containers: running + paused + stopped,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: stopped,
    Images: engine.images,
    Driver: "overlayfs",
    DriverStatus: [["Backing Filesystem", engine.backingFilesystem]],
    DockerRootDir: engine.rootDirectory,
    Plugins: {
      Volume: ["local"],
      Network: ["bridge", "host", "null"],
      Authorization: null,
      Log: ["json-file", "local", "none"],
    },
    ...LIMITS,
    IPv4Forwarding: engine.hasIpForward,
    Debug: engine.isDebug,
    NFd: engine.openFiles,
    NGoroutines: 1,
    SystemTime: new Date(engine.nowMs).toISOString(),
    LoggingDriver: "json-file",
    CgroupDriver: "cgroupfs",
    CgroupVersion: engine.cgroupVersion,
    NEventsListener: engine.eventListeners,
    KernelVersion: host.kernelVersion,
    OperatingSystem: host.operatingSystem,
    OSVersion: host.osVersion,
    OSType: "linux",
    Architecture: host.machine,
    NCPU: host.cpuCount,
    MemTotal: host.memoryBytes,
    ...encodeRegistryInfo(engine.registries),
    GenericResources: null,
    Name: host.hostname,
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: VERSION,
    Runtimes: Object.fromEntries([...engine.runtimes].map(([name, path]) => [name, { path }])),
    DefaultRuntime: engine.defaultRuntime,
    Swarm: {
      NodeID: "",
      NodeAddr: "",
      LocalNodeState: "inactive",
      ControlAvailable: false,
      Error: "",
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: "",
    InitBinary: "",
    ContainerdCommit: { ID: "" },
    RuncCommit: { ID: "" },
    InitCommit: { ID: "" },
    SecurityOptions: [
      "name=seccomp,profile=builtin",
      ...(engine.cgroupVersion === "2" ? ["name=cgroupns"] : []),
    ],
    FirewallBackend: { Driver: "nftables" },
    Warnings: null,
    CDISpecDirs: [],
  };
}

/** Kernel features that every kernel we run on has (overlayfs with `openat2`: 5.6 or newer). */
const LIMITS = {
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsPeriod: true,
  CpuCfsQuota: true,
  CPUShares: true,
  CPUSet: true,
  PidsLimit: true,
  OomKillDisable: false,
} as const;
