import type { Address, Link, Route } from "#linux/netlink/route-message.ts";
import type { Subnet } from "./subnet.ts";
import { contains, parseSubnet } from "./subnet.ts";

const DEFAULT_MTU = 1500;
/** The kernel's own table of the host's addresses; their networks are known from the addresses. */
const LOCAL_TABLE = 255;

/** What the host's interfaces and routes were at one moment. */
export interface HostView {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
}

/** The MTU towards the outside: that of the default route's device, 1500 without one. */
export function uplinkMtu(view: HostView): number {
  return uplink(view)?.mtu ?? DEFAULT_MTU;
}

/** The default route's device. */
export function uplinkName(view: HostView): string | undefined {
  return uplink(view)?.name;
}

function uplink({ links, routes }: HostView): Link | undefined {
  const isDefault = (route: Route): boolean =>
    route.destination === undefined && route.isUnicast && route.linkIndex !== undefined;
  const route =
    routes.find((one) => one.family === "ipv4" && isDefault(one)) ?? routes.find((one) => isDefault(one));
  return links.find((link) => link.index === route?.linkIndex);
}

/** A subnet that is not free, and who has it: `network shop`, `the route through eth0`. */
export interface TakenSubnet {
  readonly subnet: Subnet;
  readonly holder: string;
}

/** Networks that the host reaches or resolves names through, those of the interfaces `own` left out. */
export function takenSubnets(
  view: HostView,
  own: ReadonlySet<string>,
  resolvers: readonly string[],
): TakenSubnet[] {
  const names = new Map(view.links.map(({ index, name }) => [index, name]));
  const nameOf = (index: number | undefined): string => names.get(index ?? 0) ?? "another interface";
  const isForeign = (index: number | undefined): boolean => !own.has(nameOf(index));
  const routed = view.routes.flatMap(({ destination, prefixLength, linkIndex, table, isUnicast }) => {
    if (!destination || table === LOCAL_TABLE || !isUnicast || !isForeign(linkIndex)) return [];
    return [
      { address: destination, prefixLength, holder: `the route of this host through ${nameOf(linkIndex)}` },
    ];
  });
  const assigned = view.addresses
    .filter(({ linkIndex }) => isForeign(linkIndex))
    .map((one) => ({ ...one, holder: `the address of this host on ${nameOf(one.linkIndex)}` }));
  const servers = resolvers
    .filter((server) => /^[\d.]+$/.test(server))
    .map((address) => ({ address, prefixLength: 32, holder: "a name server of this host" }));
  return [...routed, ...assigned, ...servers]
    .filter(({ address }) => !MEANINGLESS.some((one) => contains(one, address)))
    .map(({ address, prefixLength, holder }) => ({
      subnet: parseSubnet(`${address}/${prefixLength}`),
      holder,
    }));
}

/** Every link has these: link-local addresses and multicast. */
const MEANINGLESS = ["fe80::/10", "ff00::/8"].map(parseSubnet);
