import { Fields } from "#base/decode.ts";
import { asNetworkId } from "#base/ids.ts";
import type { NetworkId } from "#base/ids.ts";
import type { PortBinding } from "./port-publisher.ts";

/** A container's interface in one network. */
export interface Endpoint {
  readonly networkId: NetworkId;
  readonly networkName: string;
  /** 64 hex characters, new at each start. */
  readonly endpointId: string;
  readonly ipv4?: string;
  /** Bits of `ipv4` that name the network. */
  readonly prefix?: number;
  readonly gateway?: string;
  readonly mac?: string;
  readonly ipv6?: string;
  /** The end of the pair that is a port of the bridge. */
  readonly hostInterface?: string;
}

/** What the engine has made for one container or build step, from `attach` to `detach`. */
export interface Attachment {
  readonly id: string;
  /** For people; the id where there is none. */
  readonly name: string;
  /** Absent: the host's own namespace. */
  readonly namespacePath?: string;
  /** True when the namespace belongs to another attachment. */
  readonly isShared: boolean;
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PortBinding[];
}

/** Reads back what we wrote. @throws {EngineError} invalid */
export function decodeAttachment(value: unknown): Attachment {
  const fields = new Fields(value, "attachment");
  const namespacePath = fields.string("namespacePath");
  return {
    id: fields.required("id", fields.string("id")),
    name: fields.required("name", fields.string("name")),
    isShared: fields.boolean("isShared") ?? false,
    endpoints: fields.list("endpoints", decodeEndpoint) ?? [],
    ports: fields.list("ports", decodePort) ?? [],
    ...(namespacePath !== undefined && { namespacePath }),
  };
}

function decodeEndpoint(value: unknown, path: string): Endpoint {
  const fields = new Fields(value, path);
  const text = (key: string): string => fields.required(key, fields.string(key));
  const prefix = fields.integer("prefix");
  const optional = ["ipv4", "gateway", "mac", "ipv6", "hostInterface"].flatMap((key) => {
    const found = fields.string(key);
    return found === undefined ? [] : [[key, found] as const];
  });
  return {
    networkId: asNetworkId(text("networkId")),
    networkName: text("networkName"),
    endpointId: text("endpointId"),
    ...(prefix !== undefined && { prefix }),
    ...Object.fromEntries(optional),
  };
}

function decodePort(value: unknown, path: string): PortBinding {
  const fields = new Fields(value, path);
  const port = (key: string): number => fields.required(key, fields.integer(key));
  return {
    containerPort: port("containerPort"),
    protocol: protocolOf(fields.string("protocol")),
    hostIp: fields.required("hostIp", fields.string("hostIp")),
    hostPort: port("hostPort"),
  };
}

function protocolOf(text: string | undefined): PortBinding["protocol"] {
  return text === "udp" || text === "sctp" ? text : "tcp";
}
