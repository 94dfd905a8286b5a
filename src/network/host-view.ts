import type { Address, Link, Route } from "#linux/netlink/route-message.ts";
import type { Subnet } from "./subnet.ts";
import { parseAddress } from "./subnet.ts";

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
export function uplinkMtu({ links, routes }: HostView): number {
  const isDefault = (route: Route): boolean =>
    route.destination === undefined && route.isUnicast && route.linkIndex !== undefined;
  const route =
    routes.find((one) => one.family === "ipv4" && isDefault(one)) ?? routes.find((one) => isDefault(one));
  return links.find((link) => link.index === route?.linkIndex)?.mtu ?? DEFAULT_MTU;
}

/** IPv4 networks that the host reaches or resolves names through, those of the interface `own` left out. */
export function takenSubnets(view: HostView, own: string, resolvers: readonly string[]): Subnet[] {
  const ownIndex = view.links.find((link) => link.name === own)?.index;
  const routed = view.routes
    .filter((route) => route.family === "ipv4" && route.table !== LOCAL_TABLE && route.linkIndex !== ownIndex)
    .flatMap(({ destination, prefixLength }) =>
      destination ? [{ address: destination, prefixLength }] : [],
    );
  const assigned = view.addresses.filter((one) => one.linkIndex !== ownIndex && !one.address.includes(":"));
  const servers = resolvers
    .filter((server) => /^[\d.]+$/.test(server))
    .map((address) => ({ address, prefixLength: 32 }));
  return [...routed, ...assigned, ...servers].map(({ address, prefixLength }) => ({
    base: parseAddress(address),
    prefixLength,
  }));
}
