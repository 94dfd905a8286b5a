import { Fields } from "#base/decode.ts";
import { asContainerId, type ContainerId } from "#base/ids.ts";
import { type ChainId, type Digest, parseChainId, parseDigest } from "#oci/digest.ts";
import { CONTAINER_CONFIG, type ContainerConfig } from "./container-config.ts";
import { decodeTable, encodeTable } from "./field-table.ts";
import { decodeHealth, encodeHealth, type Health } from "./health/health.ts";
import { ENDPOINT_CONFIG, type EndpointConfig, HOST_CONFIG, type HostConfig } from "./host-config.ts";
import { MOUNT_POINT, type MountPoint } from "./mount-point.ts";
import { NETWORK_STATE, type NetworkState } from "./network-state.ts";
import { CREATED, decodeState, type State } from "./state.ts";

/** All that is kept of a container, as the database holds it. Changed only under the container's lock. */
export interface ContainerRecord {
  readonly id: ContainerId;
  /** Without the leading slash of the API. */
  readonly name: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  /** The image's id when the container was made. */
  readonly imageId: Digest;
  readonly manifestDigest: Digest;
  /** The snapshot below the container's own layer; absent for an image without layers. */
  readonly parent: ChainId | undefined;
  /** Operating system, as the API shows it. */
  readonly platform: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** What was asked of each network, by name. */
  readonly endpoints: ReadonlyMap<string, EndpointConfig>;
  readonly mounts: readonly MountPoint[];
  readonly network: NetworkState;
  readonly state: State;
  /** Absent for a container that was never started with a health check. */
  readonly health?: Health | undefined;
  /** Automatic restarts since somebody started it. */
  readonly restartCount: number;
  readonly wasStoppedByHand: boolean;
}

const VERSION = 1;

export function encodeRecord(record: ContainerRecord): unknown {
  return {
    version: VERSION,
    id: record.id,
    name: record.name,
    createdAt: record.createdAt,
    imageId: record.imageId,
    manifestDigest: record.manifestDigest,
    ...(record.parent !== undefined && { parent: record.parent }),
    platform: record.platform,
    config: encodeTable(CONTAINER_CONFIG, record.config),
    hostConfig: encodeTable(HOST_CONFIG, record.hostConfig),
    endpoints: Object.fromEntries(
      [...record.endpoints].map(([name, endpoint]) => [name, encodeTable(ENDPOINT_CONFIG, endpoint)]),
    ),
    mounts: record.mounts.map((mount) => encodeTable(MOUNT_POINT, mount)),
    network: encodeTable(NETWORK_STATE, record.network),
    state: record.state,
    ...(record.health && { health: encodeHealth(record.health) }),
    restartCount: record.restartCount,
    wasStoppedByHand: record.wasStoppedByHand,
  };
}

/** @throws {EngineError} invalid, naming the field */
export function decodeRecord(value: unknown): ContainerRecord {
  const fields = new Fields(value, "container record");
  const text = (key: string): string => fields.required(key, fields.string(key));
  const parent = fields.string("parent");
  return {
    id: asContainerId(text("id")),
    name: text("name"),
    createdAt: fields.required("createdAt", fields.integer("createdAt")),
    imageId: parseDigest(text("imageId")),
    manifestDigest: parseDigest(text("manifestDigest")),
    parent: parent === undefined ? undefined : parseChainId(parent),
    platform: text("platform"),
    config: decodeTable(CONTAINER_CONFIG, fields.object("config")),
    hostConfig: decodeTable(HOST_CONFIG, fields.object("hostConfig")),
    endpoints:
      fields.map("endpoints", (one, path) => decodeTable(ENDPOINT_CONFIG, new Fields(one, path))) ??
      new Map(),
    mounts: fields.list("mounts", (one, path) => decodeTable(MOUNT_POINT, new Fields(one, path))) ?? [],
    network: decodeTable(NETWORK_STATE, fields.object("network")),
    state: fields.has("state") ? decodeState(fields.raw("state")) : CREATED,
    ...(fields.has("health") && { health: decodeHealth(fields.object("health")) }),
    restartCount: fields.integer("restartCount") ?? 0,
    wasStoppedByHand: fields.boolean("wasStoppedByHand") ?? false,
  };
}

/** The program and its arguments, as `Path` and `Args` of inspect: entrypoint, then command. */
export function commandOf({ config }: ContainerRecord): string[] {
  return [...(config.entrypoint ?? []), ...(config.cmd ?? [])];
}
