/**
 * The bodies of rtnetlink messages: each is a fixed structure followed by attributes. Pure.
 * Source: the kernel's uapi/linux/rtnetlink.h, if_link.h, if_addr.h, veth.h.
 */
import { addressBytes, addressText, macBytes, macText } from "./ip-address.ts";
import {
  attribute,
  concatenate,
  decodeAttributes,
  decodeText,
  decodeU32,
  nested,
  textAttribute,
  u16Attribute,
  u32Attribute,
  u8Attribute,
  viewOf,
} from "./message.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;

const AF_INET = 2;
const AF_INET6 = 10;
const AF_BRIDGE = 7;
const IFF_UP = 1;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_TXQLEN = 13;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_GROUP = 27;
const IFLA_NET_NS_FD = 28;
const IFLA_EXT_MASK = 29;
const RTEXT_FILTER_SKIP_STATS = 1 << 3;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_LEARNING = 8;
const IFLA_BRPORT_ISOLATED = 33;
const NDA_LLADDR = 2;
/** `bridge fdb add … master static`. */
const NUD_STATIC = 0x42;
const NTF_MASTER = 0x04;
const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;
const IFLA_VLAN_ID = 1;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_F_NODAD = 2;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;

/** What may be given to a new link or changed on an old one. */
export interface LinkSettings {
  readonly name?: string;
  readonly mtu?: number;
  readonly mac?: string;
  readonly transmitQueueLength?: number;
  /** Index of the bridge it joins; 0 leaves the bridge. */
  readonly masterIndex?: number;
  readonly isUp?: boolean;
  /** Text for people. */
  readonly alias?: string;
  /** A number by which rules of the firewall know several links. */
  readonly group?: number;
  /** An open descriptor of the namespace it is to live in. */
  readonly namespaceFd?: number;
}

export interface Link {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `veth`…; absent for hardware. */
  readonly kind?: string;
  readonly mac?: string;
  readonly mtu: number;
  readonly masterIndex?: number;
  readonly alias?: string;
  readonly isUp: boolean;
}

export interface Address {
  readonly linkIndex: number;
  readonly address: string;
  readonly prefixLength: number;
  /** IPv6: it is used at once, without asking whether somebody else has it. */
  readonly skipsDuplicateCheck?: boolean;
}

/** Modes of links that share an interface of the host. */
export const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
export const IPVLAN_MODES = { l2: 0, l3: 1, l3s: 2 } as const;
export const IPVLAN_FLAGS = { bridge: 0, private: 1, vepa: 2 } as const;

/** A link upon another. */
export type UpperLink =
  | { readonly kind: "macvlan"; readonly mode: keyof typeof MACVLAN_MODES }
  | {
      readonly kind: "ipvlan";
      readonly mode: keyof typeof IPVLAN_MODES;
      readonly flag: keyof typeof IPVLAN_FLAGS;
    }
  | { readonly kind: "vlan"; readonly id: number };

export interface Route {
  readonly family: "ipv4" | "ipv6";
  /** Absent for a default route. */
  readonly destination?: string;
  readonly prefixLength: number;
  readonly gateway?: string;
  readonly linkIndex?: number;
  readonly source?: string;
  readonly table: number;
  /** True for a route to elsewhere; false for the host's own addresses, broadcasts and refusals. */
  readonly isUnicast: boolean;
}

/** A link by index, or by the name among its settings when the index is 0. */
export function linkBody(index: number, settings: LinkSettings, ...more: readonly Uint8Array[]): Uint8Array {
  const header = new Uint8Array(16);
  const view = viewOf(header);
  view.setInt32(4, index, true);
  if (settings.isUp !== undefined) {
    view.setUint32(8, settings.isUp ? IFF_UP : 0, true);
    view.setUint32(12, IFF_UP, true);
  }
  return concatenate([header, ...linkAttributes(settings), ...more]);
}

export function bridgeBody(settings: LinkSettings): Uint8Array {
  return linkBody(0, settings, nested(IFLA_LINKINFO, textAttribute(IFLA_INFO_KIND, "bridge")));
}

/** A link upon the one of that index, which is of the asker's namespace. */
export function upperLinkBody(parentIndex: number, upper: UpperLink, settings: LinkSettings): Uint8Array {
  const information = [
    textAttribute(IFLA_INFO_KIND, upper.kind),
    nested(IFLA_INFO_DATA, ...upperData(upper)),
  ];
  return linkBody(0, settings, u32Attribute(IFLA_LINK, parentIndex), nested(IFLA_LINKINFO, ...information));
}

/** An interface that leads nowhere. */
export function dummyBody(settings: LinkSettings): Uint8Array {
  return linkBody(0, settings, nested(IFLA_LINKINFO, textAttribute(IFLA_INFO_KIND, "dummy")));
}

function upperData(upper: UpperLink): Uint8Array[] {
  switch (upper.kind) {
    case "macvlan":
      return [u32Attribute(IFLA_MACVLAN_MODE, MACVLAN_MODES[upper.mode])];
    case "ipvlan":
      return [
        u16Attribute(IFLA_IPVLAN_MODE, IPVLAN_MODES[upper.mode]),
        u16Attribute(IFLA_IPVLAN_FLAGS, IPVLAN_FLAGS[upper.flag]),
      ];
    case "vlan":
      return [u16Attribute(IFLA_VLAN_ID, upper.id)];
  }
}

/** A pair in one message; the peer must not be asked to be up, as it has no other end while it is made. */
export function vethBody(settings: LinkSettings, peer: Omit<LinkSettings, "isUp">): Uint8Array {
  const pair = nested(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, linkBody(0, peer)));
  return linkBody(0, settings, nested(IFLA_LINKINFO, textAttribute(IFLA_INFO_KIND, "veth"), pair));
}

/** What a bridge does with one of its ports. */
export interface PortSettings {
  /** A frame may be sent back through the port it came from. */
  readonly isHairpin?: boolean;
  /** It reaches the bridge, and no other port that is isolated. */
  readonly isIsolated?: boolean;
  /** The bridge notes which stations it hears there. */
  readonly isLearning?: boolean;
}

export function portBody(index: number, { isHairpin, isIsolated, isLearning }: PortSettings): Uint8Array {
  const flag = (type: number, isOn: boolean | undefined): Uint8Array[] =>
    isOn === undefined ? [] : [u8Attribute(type, isOn ? 1 : 0)];
  const flags = [
    ...flag(IFLA_BRPORT_MODE, isHairpin),
    ...flag(IFLA_BRPORT_LEARNING, isLearning),
    ...flag(IFLA_BRPORT_ISOLATED, isIsolated),
  ];
  const body = linkBody(index, {}, nested(IFLA_PROTINFO, ...flags));
  body[0] = AF_BRIDGE;
  return body;
}

/** Frames to the station go to that port of its bridge, wherever else its address is heard. */
export function stationBody(index: number, mac: string): Uint8Array {
  const header = new Uint8Array(12);
  header[0] = AF_BRIDGE;
  const view = viewOf(header);
  view.setInt32(4, index, true);
  view.setUint16(8, NUD_STATIC, true);
  header[10] = NTF_MASTER;
  return concatenate([header, attribute(NDA_LLADDR, macBytes(mac))]);
}

export function addressBody(address: Address): Uint8Array {
  const bytes = addressBytes(address.address);
  const header = new Uint8Array(8);
  header[0] = bytes.length === 4 ? AF_INET : AF_INET6;
  header[1] = address.prefixLength;
  header[2] = address.skipsDuplicateCheck ? IFA_F_NODAD : 0;
  viewOf(header).setUint32(4, address.linkIndex, true);
  const attributes = [attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes)];
  if (bytes.length === 4 && address.prefixLength < 31) {
    attributes.push(attribute(IFA_BROADCAST, broadcast(bytes, address.prefixLength)));
  }
  return concatenate([header, ...attributes]);
}

export interface NewRoute {
  /** Absent for a default route. */
  readonly destination?: { readonly address: string; readonly prefixLength: number };
  readonly gateway?: string;
  readonly linkIndex: number;
}

/** A route of the main table, its family that of the gateway or the destination, else IPv4. */
export function routeBody(route: NewRoute): Uint8Array {
  const header = new Uint8Array(12);
  const isIpv6 = (route.gateway ?? route.destination?.address ?? "").includes(":");
  header[0] = isIpv6 ? AF_INET6 : AF_INET;
  header[1] = route.destination?.prefixLength ?? 0;
  header[4] = RT_TABLE_MAIN;
  header[5] = RTPROT_STATIC;
  header[6] = route.gateway === undefined && !isIpv6 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  header[7] = RTN_UNICAST;
  const attributes = [u32Attribute(RTA_OIF, route.linkIndex)];
  if (route.destination) attributes.push(attribute(RTA_DST, addressBytes(route.destination.address)));
  if (route.gateway !== undefined) attributes.push(attribute(RTA_GATEWAY, addressBytes(route.gateway)));
  return concatenate([header, ...attributes]);
}

/** The body that asks for one link, without its counters, which cost more than the rest. */
export function linkQueryBody(name: string): Uint8Array {
  return linkBody(0, { name }, u32Attribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS));
}

/** The body that asks for every link. */
export function linkDumpBody(): Uint8Array {
  return linkBody(0, {}, u32Attribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS));
}

/** The body that asks for every address. */
export function addressDumpBody(): Uint8Array {
  return new Uint8Array(8);
}

/** The body that asks for every route of both families. */
export function routeDumpBody(): Uint8Array {
  return new Uint8Array(12);
}

export function decodeLink(payload: Uint8Array): Link {
  const view = viewOf(payload);
  const attributes = decodeAttributes(payload.subarray(16));
  const information = attributes.get(IFLA_LINKINFO);
  const kind = information && decodeAttributes(information).get(IFLA_INFO_KIND);
  const mac = attributes.get(IFLA_ADDRESS);
  const master = attributes.get(IFLA_MASTER);
  const alias = attributes.get(IFLA_IFALIAS);
  return {
    index: view.getInt32(4, true),
    name: decodeText(attributes.get(IFLA_IFNAME) ?? new Uint8Array()),
    mtu: decodeU32(attributes.get(IFLA_MTU) ?? new Uint8Array(4)),
    isUp: (view.getUint32(8, true) & IFF_UP) !== 0,
    ...(kind && { kind: decodeText(kind) }),
    ...(mac && { mac: macText(mac) }),
    ...(master && { masterIndex: decodeU32(master) }),
    ...(alias && { alias: decodeText(alias) }),
  };
}

export function decodeAddress(payload: Uint8Array): Address {
  const attributes = decodeAttributes(payload.subarray(8));
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS) ?? new Uint8Array(4);
  return {
    linkIndex: viewOf(payload).getUint32(4, true),
    address: addressText(bytes),
    prefixLength: payload[1] ?? 0,
  };
}

export function decodeRoute(payload: Uint8Array): Route {
  const attributes = decodeAttributes(payload.subarray(12));
  const destination = attributes.get(RTA_DST);
  const gateway = attributes.get(RTA_GATEWAY);
  const source = attributes.get(RTA_PREFSRC);
  const link = attributes.get(RTA_OIF);
  const table = attributes.get(RTA_TABLE);
  return {
    family: payload[0] === AF_INET6 ? "ipv6" : "ipv4",
    prefixLength: payload[1] ?? 0,
    table: table ? decodeU32(table) : (payload[4] ?? 0),
    isUnicast: payload[7] === RTN_UNICAST,
    ...(destination && { destination: addressText(destination) }),
    ...(gateway && { gateway: addressText(gateway) }),
    ...(source && { source: addressText(source) }),
    ...(link && { linkIndex: decodeU32(link) }),
  };
}

function linkAttributes(settings: LinkSettings): Uint8Array[] {
  const attributes: Uint8Array[] = [];
  if (settings.name !== undefined) attributes.push(textAttribute(IFLA_IFNAME, settings.name));
  if (settings.mac !== undefined) attributes.push(attribute(IFLA_ADDRESS, macBytes(settings.mac)));
  if (settings.mtu !== undefined) attributes.push(u32Attribute(IFLA_MTU, settings.mtu));
  if (settings.transmitQueueLength !== undefined) {
    attributes.push(u32Attribute(IFLA_TXQLEN, settings.transmitQueueLength));
  }
  if (settings.group !== undefined) attributes.push(u32Attribute(IFLA_GROUP, settings.group));
  if (settings.alias !== undefined) attributes.push(textAttribute(IFLA_IFALIAS, settings.alias));
  if (settings.masterIndex !== undefined) attributes.push(u32Attribute(IFLA_MASTER, settings.masterIndex));
  if (settings.namespaceFd !== undefined) attributes.push(u32Attribute(IFLA_NET_NS_FD, settings.namespaceFd));
  return attributes;
}

function broadcast(bytes: Uint8Array, prefixLength: number): Uint8Array {
  return bytes.map(
    (byte, position) => byte | (0xff >> Math.min(8, Math.max(0, prefixLength - 8 * position))),
  );
}
