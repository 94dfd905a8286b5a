import { Fields } from "#base/decode.ts";
import { asNetworkId, newNetworkId } from "#base/ids.ts";
import type { NetworkId } from "#base/ids.ts";

/** Docker's names. `null` is no network at all. */
export type DriverName = "bridge" | "host" | "null" | "macvlan" | "ipvlan";

/** A subnet of a network, and how its addresses are used. */
export interface Pool {
  /** `172.17.0.0/16` */
  readonly subnet: string;
  /** Absent where the driver needs none. */
  readonly gateway?: string;
  /** The part of the subnet that containers are given addresses from. */
  readonly range?: string;
  /** Addresses that others have, by name. */
  readonly auxiliary: Readonly<Record<string, string>>;
}

/** A network as it is kept and shown. */
export interface NetworkInfo {
  readonly id: NetworkId;
  readonly name: string;
  readonly driver: DriverName;
  /** Epoch milliseconds. */
  readonly created: number;
  /** IPv4 first; empty without addresses of its own. */
  readonly pools: readonly Pool[];
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
  /** Nothing leaves it. */
  readonly isInternal: boolean;
  /** Noted for those who ask; it means something in a swarm alone. */
  readonly isAttachable: boolean;
  /** Nothing but settings for other networks to be made from. */
  readonly isConfigOnly: boolean;
  /** The name of the network whose settings it has. */
  readonly configFrom?: string;
  readonly ipamDriver: string;
  readonly ipamOptions: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Docker's names: `com.docker.network.bridge.name`. */
  readonly options: Readonly<Record<string, string>>;
}

/** A network, and the last address it gave to a container, by subnet. */
export interface NetworkRecord extends NetworkInfo {
  readonly lastAddresses: Readonly<Record<string, string>>;
}

/** The networks every engine has; they cannot be removed. */
export const PREDEFINED: Readonly<Record<string, DriverName>> = {
  bridge: "bridge",
  host: "host",
  none: "null",
};

export function isPredefined(name: string): boolean {
  return Object.hasOwn(PREDEFINED, name);
}

/** What networks have unless they are asked for something else. */
const PLAIN = {
  pools: [],
  hasIpv4: true,
  hasIpv6: false,
  isInternal: false,
  isAttachable: false,
  isConfigOnly: false,
  ipamDriver: "default",
  ipamOptions: {},
  labels: {},
  options: {},
  lastAddresses: {},
} as const;

export type NewNetwork = Pick<NetworkInfo, "name" | "driver" | "created"> &
  Partial<Omit<NetworkInfo, "id" | "name" | "driver" | "created">>;

export function newNetworkRecord(network: NewNetwork): NetworkRecord {
  return { id: newNetworkId(), ...PLAIN, ...network };
}

/** Reads back what we wrote. @throws {EngineError} invalid */
export function decodeNetworkRecord(value: unknown): NetworkRecord {
  const fields = new Fields(value, "network");
  const text = (key: string): string => fields.required(key, fields.string(key));
  const flag = (key: keyof typeof PLAIN & `${"has" | "is"}${string}`): boolean =>
    fields.boolean(key) ?? PLAIN[key];
  const configFrom = fields.string("configFrom");
  return {
    id: asNetworkId(text("id")),
    name: text("name"),
    driver: asDriver(text("driver")),
    created: fields.required("created", fields.integer("created")),
    pools: fields.list("pools", decodePool) ?? [],
    hasIpv4: flag("hasIpv4"),
    hasIpv6: flag("hasIpv6"),
    isInternal: flag("isInternal"),
    isAttachable: flag("isAttachable"),
    isConfigOnly: flag("isConfigOnly"),
    ...(configFrom !== undefined && { configFrom }),
    ipamDriver: fields.string("ipamDriver") ?? PLAIN.ipamDriver,
    ipamOptions: texts(fields, "ipamOptions"),
    labels: texts(fields, "labels"),
    options: texts(fields, "options"),
    lastAddresses: texts(fields, "lastAddresses"),
  };
}

function decodePool(value: unknown, path: string): Pool {
  const fields = new Fields(value, path);
  const gateway = fields.string("gateway");
  const range = fields.string("range");
  return {
    subnet: fields.required("subnet", fields.string("subnet")),
    ...(gateway !== undefined && { gateway }),
    ...(range !== undefined && { range }),
    auxiliary: texts(fields, "auxiliary"),
  };
}

function texts(fields: Fields, key: string): Readonly<Record<string, string>> {
  return Object.fromEntries(fields.stringMap(key) ?? []);
}

function asDriver(text: string): DriverName {
  switch (text) {
    case "host":
    case "null":
    case "macvlan":
    case "ipvlan":
      return text;
    default:
      return "bridge";
  }
}
