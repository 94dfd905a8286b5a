/**
 * The text of our nftables table of the bridge family. It keeps a container from speaking in a neighbour's name: of an
 * address that a container or a bridge of ours has, ARP and neighbour discovery are heard from its owner alone. Addresses
 * that nobody was given may be used by whoever claims them (a floating address, a container that routes). Pure.
 *
 * ```
 * stations    who has which address: interface of the host, MAC, address
 * addresses   all that somebody has; gateways too, which no container has
 * guard       ours are told by the group of their interfaces; what is not about addresses passes after one look
 * ```
 */
import type { SetElement } from "#linux/netlink/set-elements.ts";
import { familyOf, parseAddress } from "./subnet.ts";

/** Of the host's ends of all containers' interfaces. */
export const STATION_GROUP = 0xda5e;

/** An address, and the one that has it; a gateway is the bridge's own. */
export interface Station {
  readonly address: string;
  readonly owner?: { readonly hostInterface: string; readonly mac: string };
}

/** The elements of sets that stand for a station. */
export function stationElements({ address, owner }: Station): SetElement[] {
  const suffix = familyOf(address) === "ipv6" ? "6" : "";
  const known = { set: `addresses${suffix}`, key: [{ address }] };
  if (owner === undefined) return [known];
  const key = [{ interface: owner.hostInterface }, { mac: owner.mac }, { address }];
  return [{ set: `stations${suffix}`, key }, known];
}

export function renderNeighbourTable(table: string, stations: readonly Station[]): string {
  const elements = (set: string): string => {
    const keys = stations.flatMap(stationElements).filter((one) => one.set === set);
    if (keys.length === 0) return "";
    return ` elements = { ${[...new Set(keys.map(({ key }) => key.map(keyText).join(" . ")))].join(", ")} }`;
  };
  const set = (name: string, type: string): string => `\tset ${name} { ${type};${elements(name)} }\n`;
  const rules = [
    "ether type ip accept",
    `iifgroup != ${STATION_GROUP} accept`,
    "ether type arp iifname . arp saddr ether . arp saddr ip @stations accept",
    `ether type arp arp saddr ip @addresses drop comment "an address of a neighbour"`,
    `icmpv6 type { nd-router-advert, nd-redirect } drop comment "no container is a router for others"`,
    "ether type != ip6 accept",
    "icmpv6 type != { nd-neighbor-solicit, nd-neighbor-advert } accept",
    "meta l4proto != ipv6-icmp accept",
    `iifname . ether saddr . ${SOURCE} != @stations6 ${SOURCE} @addresses6 drop comment "a neighbour's name"`,
    `icmpv6 type nd-neighbor-advert iifname . ether saddr . ${TARGET} != @stations6 ${TARGET} @addresses6 drop comment "an address of a neighbour"`,
  ];
  return [
    renderNeighbourRemoval(table),
    `table bridge ${table} {\n`,
    set("stations", "type ifname . ether_addr . ipv4_addr"),
    set("addresses", "type ipv4_addr"),
    set("stations6", `typeof iifname . ether saddr . ${TARGET}`),
    set("addresses6", `typeof ${TARGET}`),
    "\tchain guard {\n\t\ttype filter hook prerouting priority -300; policy accept;\n",
    ...rules.map((rule) => `\t\t${rule}\n`),
    "\t}\n}\n",
  ].join("");
}

/** Removes the table, which need not exist. */
export function renderNeighbourRemoval(table: string): string {
  return `table bridge ${table} {}\ndelete table bridge ${table}\n`;
}

/** The sender's IPv6 address, and the address that neighbour discovery is about: nft has no name for the second. */
const SOURCE = "@nh,64,128";
const TARGET = "@th,64,128";

function keyText(part: SetElement["key"][number]): string {
  if ("interface" in part) return `"${part.interface}"`;
  if ("mac" in part) return part.mac;
  return familyOf(part.address) === "ipv6" ? `0x${hexOf(part.address)}` : part.address;
}

function hexOf(address: string): string {
  return parseAddress(address).toString(16).padStart(32, "0");
}
