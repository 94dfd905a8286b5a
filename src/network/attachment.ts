import { Fields } from "#base/decode.ts";
import { asNetworkId } from "#base/ids.ts";
import type { NetworkId } from "#base/ids.ts";
import type { ServerPorts } from "./dns/name-server.ts";
import type { PortBinding } from "./port-publisher.ts";
import type { DnsOverrides } from "./resolv-conf.ts";

/** A container's interface in one network. */
export interface Endpoint {
  readonly networkId: NetworkId;
  readonly networkName: string;
  /** 64 hex characters, new at each start. */
  readonly endpointId: string;
  readonly ipv4?: string;
  /** Bits of `ipv4` that name the network. */
  readonly prefix?: number;
  /** Where the way out is, if the network has one. */
  readonly gateway?: string;
  readonly mac?: string;
  readonly ipv6?: string;
  /** Bits of `ipv6` that name the network. */
  readonly ipv6Prefix?: number;
  readonly ipv6Gateway?: string;
  /** Further addresses. */
  readonly linkLocal?: readonly string[];
  /** Inside: `eth0`. */
  readonly interfaceName?: string;
  /** The end of the pair that is a port of the bridge. */
  readonly hostInterface?: string;
  /** What it is called in the network, the name it is shown under first; absent where names mean nothing. */
  readonly names?: readonly string[];
  /** Names that this container alone knows others by, to their ids. */
  readonly links?: Readonly<Record<string, string>>;
  readonly gatewayPriority?: number;
  /** Docker's names: `com.docker.network.endpoint.sysctls`. */
  readonly options?: Readonly<Record<string, string>>;
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
  /** False for a build step, which nobody is told of. */
  readonly isContainer: boolean;
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PortBinding[];
  readonly dns?: DnsOverrides;
  /** Text of `/etc/resolv.conf`, as it was given last. */
  readonly resolvConf?: string;
  /** Where its name service listens behind port 53; absent without one. */
  readonly namePorts?: ServerPorts;
}

/** Reads back what we wrote. @throws {EngineError} invalid */
export function decodeAttachment(value: unknown): Attachment {
  const fields = new Fields(value, "attachment");
  const namespacePath = fields.string("namespacePath");
  const resolvConf = fields.string("resolvConf");
  return {
    id: fields.required("id", fields.string("id")),
    name: fields.required("name", fields.string("name")),
    isShared: fields.boolean("isShared") ?? false,
    isContainer: fields.boolean("isContainer") ?? true,
    endpoints: fields.list("endpoints", decodeEndpoint) ?? [],
    ports: fields.list("ports", decodePort) ?? [],
    ...(namespacePath !== undefined && { namespacePath }),
    ...(resolvConf !== undefined && { resolvConf }),
    ...(fields.has("dns") && { dns: decodeDns(fields.raw("dns")) }),
    ...(fields.has("namePorts") && { namePorts: decodeNamePorts(fields.raw("namePorts")) }),
  };
}

function decodeDns(value: unknown): DnsOverrides {
  const fields = new Fields(value, "dns");
  const [servers, search, options] = [
    fields.strings("servers"),
    fields.strings("search"),
    fields.strings("options"),
  ];
  return { ...(servers && { servers }), ...(search && { search }), ...(options && { options }) };
}

function decodeNamePorts(value: unknown): ServerPorts {
  const fields = new Fields(value, "namePorts");
  return { udp: fields.integer("udp") ?? 0, tcp: fields.integer("tcp") ?? 0 };
}

function decodeEndpoint(value: unknown, path: string): Endpoint {
  const fields = new Fields(value, path);
  const text = (key: string): string => fields.required(key, fields.string(key));
  const optional = [
    ...TEXTS.map((key) => [key, fields.string(key)] as const),
    ...NUMBERS.map((key) => [key, fields.integer(key)] as const),
    ...LISTS.map((key) => [key, fields.strings(key)] as const),
    ...MAPS.map((key) => {
      const found = fields.stringMap(key);
      return [key, found && Object.fromEntries(found)] as const;
    }),
  ].filter(([, found]) => found !== undefined);
  return {
    networkId: asNetworkId(text("networkId")),
    networkName: text("networkName"),
    endpointId: text("endpointId"),
    ...Object.fromEntries(optional),
  };
}

/** The optional fields of an endpoint, by what they hold. */
const TEXTS = ["ipv4", "gateway", "mac", "ipv6", "ipv6Gateway", "interfaceName", "hostInterface"] as const;
const NUMBERS = ["prefix", "ipv6Prefix", "gatewayPriority"] as const;
const LISTS = ["linkLocal", "names"] as const;
const MAPS = ["links", "options"] as const;

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
