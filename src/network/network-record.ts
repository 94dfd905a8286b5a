import { Fields } from "#base/decode.ts";
import { asNetworkId, newNetworkId } from "#base/ids.ts";
import type { NetworkId } from "#base/ids.ts";
import { formatSubnet } from "./subnet.ts";
import type { Subnet } from "./subnet.ts";

/** A network as it is kept and shown. */
export interface NetworkInfo {
  readonly id: NetworkId;
  readonly name: string;
  readonly driver: "bridge" | "host" | "null";
  /** Epoch milliseconds. */
  readonly created: number;
  /** `172.17.0.0/16`; absent without addresses of its own. */
  readonly subnet?: string;
  readonly gateway?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Docker's names: `com.docker.network.bridge.name`. */
  readonly options: Readonly<Record<string, string>>;
}

/** A network, and the last address it gave to a container. */
export interface NetworkRecord extends NetworkInfo {
  readonly lastAddress?: string;
}

/** The networks every engine has; they cannot be removed. */
export const PREDEFINED: Readonly<Record<string, NetworkInfo["driver"]>> = {
  bridge: "bridge",
  host: "host",
  none: "null",
};

export function newNetworkRecord(
  name: string,
  driver: NetworkInfo["driver"],
  created: number,
): NetworkRecord {
  return { id: newNetworkId(), name, driver, created, labels: {}, options: {} };
}

/** What Docker shows for its default bridge, under our interface's name. */
export function withBridge(record: NetworkRecord, bridge: BridgeFacts): NetworkRecord {
  const options = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
    "com.docker.network.bridge.name": bridge.name,
    "com.docker.network.driver.mtu": String(bridge.mtu),
  };
  return { ...record, subnet: formatSubnet(bridge.subnet), gateway: bridge.gateway, options };
}

export interface BridgeFacts {
  readonly name: string;
  readonly mtu: number;
  readonly subnet: Subnet;
  readonly gateway: string;
}

/** Reads back what we wrote. @throws {EngineError} invalid */
export function decodeNetworkRecord(value: unknown): NetworkRecord {
  const fields = new Fields(value, "network");
  const text = (key: string): string => fields.required(key, fields.string(key));
  const subnet = fields.string("subnet");
  const gateway = fields.string("gateway");
  const lastAddress = fields.string("lastAddress");
  return {
    id: asNetworkId(text("id")),
    name: text("name"),
    driver: asDriver(text("driver")),
    created: fields.required("created", fields.integer("created")),
    labels: Object.fromEntries(fields.stringMap("labels") ?? []),
    options: Object.fromEntries(fields.stringMap("options") ?? []),
    ...(subnet !== undefined && { subnet }),
    ...(gateway !== undefined && { gateway }),
    ...(lastAddress !== undefined && { lastAddress }),
  };
}

function asDriver(text: string): NetworkInfo["driver"] {
  return text === "host" || text === "null" ? text : "bridge";
}
