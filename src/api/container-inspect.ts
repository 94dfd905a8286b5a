import type {
  ContainerConfig,
  ContainerStatus,
  EndpointSettings,
  HostConfig,
  PortMap,
} from "./containers.ts";
import type { Descriptor } from "./images.ts";
import type { MountPoint } from "./mounts.ts";

/** One run of a health check; `ExitCode` -1 is a timeout. */
export interface HealthcheckResult {
  readonly Start: string;
  readonly End: string;
  readonly ExitCode: number;
  readonly Output: string;
}

export interface Health {
  readonly Status: "none" | "starting" | "healthy" | "unhealthy";
  readonly FailingStreak: number;
  readonly Log: readonly HealthcheckResult[] | null;
}

/** Times are RFC 3339; `0001-01-01T00:00:00Z` is "never". */
export interface ContainerState {
  readonly Status: ContainerStatus;
  readonly Running: boolean;
  readonly Paused: boolean;
  readonly Restarting: boolean;
  readonly OOMKilled: boolean;
  readonly Dead: boolean;
  readonly Pid: number;
  readonly ExitCode: number;
  readonly Error: string;
  readonly StartedAt: string;
  readonly FinishedAt: string;
  readonly Health?: Health | undefined;
}

/** Below API 1.52 the server adds the fields of the default bridge (`IPAddress`, `Gateway`, …), hence the optional ones. */
export interface NetworkSettings {
  readonly SandboxID: string;
  readonly SandboxKey: string;
  readonly Ports: PortMap;
  readonly Networks: Readonly<Record<string, EndpointSettings>>;
  readonly Bridge?: string | undefined;
  readonly EndpointID?: string | undefined;
  readonly Gateway?: string | undefined;
  readonly GlobalIPv6Address?: string | undefined;
  readonly GlobalIPv6PrefixLen?: number | undefined;
  readonly HairpinMode?: boolean | undefined;
  readonly IPAddress?: string | undefined;
  readonly IPPrefixLen?: number | undefined;
  readonly IPv6Gateway?: string | undefined;
  readonly LinkLocalIPv6Address?: string | undefined;
  readonly LinkLocalIPv6PrefixLen?: number | undefined;
  readonly MacAddress?: string | undefined;
  readonly SecondaryIPAddresses?:
    | readonly { readonly Addr: string; readonly PrefixLen: number }[]
    | null
    | undefined;
  readonly SecondaryIPv6Addresses?:
    | readonly { readonly Addr: string; readonly PrefixLen: number }[]
    | null
    | undefined;
}

/** `GET /containers/{id}/json` */
export interface ContainerInspect {
  readonly Id: string;
  readonly Created: string;
  readonly Path: string;
  readonly Args: readonly string[];
  readonly State: ContainerState;
  readonly Image: string;
  readonly ResolvConfPath: string;
  readonly HostnamePath: string;
  readonly HostsPath: string;
  readonly LogPath: string;
  /** With its leading slash. */
  readonly Name: string;
  readonly RestartCount: number;
  readonly Driver: string;
  readonly Platform: string;
  readonly ImageManifestDescriptor?: Descriptor | undefined;
  readonly MountLabel: string;
  readonly ProcessLabel: string;
  readonly AppArmorProfile: string;
  readonly ExecIDs: readonly string[] | null;
  readonly HostConfig: HostConfig;
  readonly GraphDriver?:
    | { readonly Name: string; readonly Data: Readonly<Record<string, string>> | null }
    | undefined;
  readonly Storage?:
    | { readonly RootFS: { readonly Snapshot?: { readonly Name: string } | undefined } }
    | undefined;
  /** Only when asked for by `size=1`. */
  readonly SizeRw?: number | undefined;
  readonly SizeRootFs?: number | undefined;
  readonly Mounts: readonly MountPoint[];
  readonly Config: ContainerConfig;
  readonly NetworkSettings: NetworkSettings;
}

/** `GET /containers/{id}/top` */
export interface ContainerTop {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

/** `GET /containers/{id}/changes`: 0 modified, 1 added, 2 deleted. */
export interface FilesystemChange {
  readonly Path: string;
  readonly Kind: 0 | 1 | 2;
}
