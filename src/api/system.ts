// Engine API v1.55, system.

/** `GET /version` */
export interface SystemVersion {
  readonly Platform: { readonly Name: string };
  readonly Components: readonly {
    readonly Name: string;
    readonly Version: string;
    readonly Details?: Readonly<Record<string, string>> | undefined;
  }[];
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion: string;
  readonly GitCommit: string;
  readonly GoVersion: string;
  readonly Os: string;
  readonly Arch: string;
  readonly KernelVersion: string;
  readonly Experimental?: boolean | undefined;
  readonly BuildTime: string;
}

export interface RuntimeInfo {
  readonly path: string;
  readonly runtimeArgs?: readonly string[] | undefined;
  readonly status?: Readonly<Record<string, string>> | undefined;
}

export interface RegistryConfig {
  readonly InsecureRegistryCIDRs: readonly string[];
  readonly IndexConfigs: Readonly<
    Record<
      string,
      {
        readonly Name: string;
        readonly Mirrors: readonly string[];
        readonly Secure: boolean;
        readonly Official: boolean;
      }
    >
  >;
  readonly Mirrors: readonly string[] | null;
}

export interface SwarmInfo {
  readonly NodeID: string;
  readonly NodeAddr: string;
  readonly LocalNodeState: "inactive" | "pending" | "active" | "error" | "locked";
  readonly ControlAvailable: boolean;
  readonly Error: string;
  readonly RemoteManagers: null;
}

/** `GET /info` */
export interface SystemInfo {
  readonly ID: string;
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly Driver: string;
  readonly DriverStatus: readonly (readonly [string, string])[];
  readonly DockerRootDir: string;
  readonly Plugins: {
    readonly Volume: readonly string[];
    readonly Network: readonly string[];
    readonly Authorization: readonly string[] | null;
    readonly Log: readonly string[];
  };
  readonly MemoryLimit: boolean;
  readonly SwapLimit: boolean;
  readonly CpuCfsPeriod: boolean;
  readonly CpuCfsQuota: boolean;
  readonly CPUShares: boolean;
  readonly CPUSet: boolean;
  readonly PidsLimit: boolean;
  readonly OomKillDisable: boolean;
  readonly IPv4Forwarding: boolean;
  readonly BridgeNfIptables?: boolean | undefined;
  readonly BridgeNfIp6tables?: boolean | undefined;
  readonly Debug: boolean;
  readonly NFd: number;
  readonly NGoroutines: number;
  readonly SystemTime: string;
  readonly LoggingDriver: string;
  readonly CgroupDriver: "cgroupfs" | "systemd" | "none";
  readonly CgroupVersion: "1" | "2";
  readonly NEventsListener: number;
  readonly KernelVersion: string;
  readonly OperatingSystem: string;
  readonly OSVersion: string;
  readonly OSType: string;
  /** As `uname -m` says it: `x86_64`. */
  readonly Architecture: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly IndexServerAddress: string;
  readonly RegistryConfig: RegistryConfig;
  readonly GenericResources: null;
  readonly HttpProxy: string;
  readonly HttpsProxy: string;
  readonly NoProxy: string;
  readonly Name: string;
  readonly Labels: readonly string[];
  readonly ExperimentalBuild: boolean;
  readonly ServerVersion: string;
  readonly Runtimes: Readonly<Record<string, RuntimeInfo>>;
  readonly DefaultRuntime: string;
  readonly Swarm: SwarmInfo;
  readonly LiveRestoreEnabled: boolean;
  readonly Isolation: string;
  readonly InitBinary: string;
  readonly ContainerdCommit: { readonly ID: string };
  readonly RuncCommit: { readonly ID: string };
  readonly InitCommit: { readonly ID: string };
  readonly SecurityOptions: readonly string[];
  readonly ProductLicense?: string | undefined;
  readonly DefaultAddressPools?: readonly { readonly Base: string; readonly Size: number }[] | undefined;
  readonly FirewallBackend?:
    | { readonly Driver: string; readonly Info?: readonly (readonly [string, string])[] | undefined }
    | undefined;
  readonly DiscoveredDevices?: readonly { readonly Source: string; readonly ID: string }[] | undefined;
  readonly Warnings: readonly string[] | null;
  readonly CDISpecDirs: readonly string[] | null;
}

/** `POST /auth` */
export interface LoginResponse {
  readonly Status: string;
  /** To be kept instead of the password, where the registry gives one. */
  readonly IdentityToken?: string | undefined;
}
