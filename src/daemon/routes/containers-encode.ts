import type { ContainerState } from "#api/container-inspect.ts";
import type { ContainerSummary } from "#api/containers.ts";
import type { MountPoint as WireMountPoint, MountType } from "#api/mounts.ts";
import type { ApiVersion } from "#api/version.ts";
import { rfc3339 } from "#base/clock.ts";
import { CONTAINER_CONFIG } from "#container/container-config.ts";
import type { Containers } from "#container/containers.ts";
import type { ContainerSizes } from "#container/lineage.ts";
import { encodeTable } from "#container/field-table.ts";
import type { Health } from "#container/health/health.ts";
import { HOST_CONFIG } from "#container/host-config.ts";
import type { MountPoint } from "#container/mount-point.ts";
import { commandOf, type ContainerRecord } from "#container/record.ts";
import { exitCodeOf, isAlive, type State } from "#container/state.ts";
import { statusText } from "#container/status-text.ts";
import { encodeEndpoints, encodeNetworkSettings, encodePorts } from "./containers-network.ts";

export interface InspectFacts {
  readonly paths: ReturnType<Containers["paths"]>;
  readonly execIds: readonly string[];
  readonly sizes: ContainerSizes | undefined;
  readonly version: ApiVersion;
}

/** `GET /containers/{id}/json`, every field of ContainerInspectResponse. */
export function encodeInspect(record: ContainerRecord, facts: InspectFacts): Record<string, unknown> {
  const { id, name, config, hostConfig, state } = record;
  const { paths, version } = facts;
  const [path = "", ...args] = commandOf(record);
  const hasLog = hostConfig.logConfig.type !== "none";
  return {
    Id: id,
    Created: rfc3339(record.createdAt),
    Path: path,
    Args: args,
    State: { ...encodeState(state), ...(record.health && { Health: encodeHealth(record.health) }) },
    Image: record.imageId,
    ResolvConfPath: paths.resolvConf,
    HostnamePath: paths.hostname,
    HostsPath: paths.hosts,
    LogPath: hasLog ? paths.log : "",
    Name: `/${name}`,
    RestartCount: record.restartCount,
    Driver: "overlayfs",
    Platform: record.platform,
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: facts.execIds.length > 0 ? facts.execIds : null,
    HostConfig: encodeTable(HOST_CONFIG, hostConfig),
    GraphDriver: {
      Name: "overlayfs",
      Data: { UpperDir: paths.upper, ...(isAlive(state) && { MergedDir: paths.rootfs }) },
    },
    Storage: { RootFS: { Snapshot: { Name: "overlayfs" } } },
    ...encodeSizes(facts.sizes),
    Mounts: record.mounts.map(encodeMount),
    Config: encodeTable(CONTAINER_CONFIG, config),
    NetworkSettings: encodeNetworkSettings(record, version),
  };
}

export interface SummaryFacts {
  /** What the list shows for the image. */
  readonly image: string;
  readonly sizes: ContainerSizes | undefined;
  readonly version: ApiVersion;
  readonly now: number;
}

/** One element of `GET /containers/json`. */
export function encodeSummary(record: ContainerRecord, facts: SummaryFacts): ContainerSummary {
  const { id, name, state, config, hostConfig } = record;
  return {
    Id: id,
    Names: [`/${name}`],
    Image: facts.image,
    ImageID: record.imageId,
    Command: commandOf(record).map(quoteWord).join(" "),
    Created: Math.floor(record.createdAt / 1000),
    Ports: encodePorts(record),
    ...encodeSizes(facts.sizes),
    Labels: Object.fromEntries(config.labels),
    State: state.status,
    Status: statusText(state, facts.now, record.health),
    HostConfig: {
      NetworkMode: hostConfig.networkMode ?? "",
      ...(hostConfig.annotations.size > 0 && { Annotations: Object.fromEntries(hostConfig.annotations) }),
    },
    NetworkSettings: { Networks: encodeEndpoints(record, facts.version) },
    Mounts: record.mounts.map(encodeMount),
    ...(facts.version.atLeast(1, 52) && {
      Health: {
        Status: record.health?.status ?? "none",
        FailingStreak: record.health?.failingStreak ?? 0,
      },
    }),
  };
}

/** `State` of inspect: the flags are computed from the one state. */
export function encodeState(state: State): ContainerState {
  const shown = state.status === "removing" ? state.before : state;
  return {
    Status: state.status,
    Running: isAlive(state) || state.status === "restarting",
    Paused: state.status === "paused",
    Restarting: state.status === "restarting",
    OOMKilled: "oomKilled" in shown && shown.oomKilled,
    Dead: state.status === "dead",
    Pid: isAlive(state) ? state.pid : 0,
    ExitCode: exitCodeOf(state),
    Error: errorOf(shown),
    StartedAt: rfc3339("startedAt" in shown ? shown.startedAt : undefined),
    FinishedAt: rfc3339(finishedAt(shown)),
  };
}

function encodeHealth({ status, failingStreak, log }: Health): NonNullable<ContainerState["Health"]> {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ startedAt, endedAt, exitCode, output }) => ({
      Start: rfc3339(startedAt),
      End: rfc3339(endedAt),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

function encodeMount(mount: MountPoint): WireMountPoint {
  return {
    Type: asMountType(mount.type),
    ...(mount.name !== undefined && { Name: mount.name }),
    Source: mount.source ?? "",
    Destination: mount.destination ?? "",
    ...(mount.driver !== undefined && { Driver: mount.driver }),
    Mode: mount.mode ?? "",
    RW: mount.isWritable,
    Propagation: mount.propagation ?? "",
  };
}

function asMountType(text: string | undefined): MountType {
  return text === "bind" || text === "tmpfs" || text === "image" ? text : "volume";
}

function encodeSizes(sizes: ContainerSizes | undefined): { SizeRw?: number; SizeRootFs?: number } {
  return sizes === undefined ? {} : { SizeRw: sizes.writableBytes, SizeRootFs: sizes.rootBytes };
}

function errorOf(state: State): string {
  if (state.status === "dead") return state.message;
  return "failure" in state ? (state.failure?.message ?? "") : "";
}

function finishedAt(state: State): number | undefined {
  if ("finishedAt" in state) return state.finishedAt;
  return "previousFinishedAt" in state ? state.previousFinishedAt : undefined;
}

/** A word as Docker's lists show it: in single quotes when it holds a blank (daemon/list.go). */
function quoteWord(word: string): string {
  return word.includes(" ") ? `'${word}'` : word;
}
