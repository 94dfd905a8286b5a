import { expect, test } from "bun:test";
import { takenSubnets, uplinkMtu } from "./host-view.ts";
import type { HostView } from "./host-view.ts";
import { formatSubnet } from "./subnet.ts";

const route = { prefixLength: 0, table: 254, isUnicast: true } as const;
const view: HostView = {
  links: [
    { index: 1, name: "lo", mtu: 65536, isUp: true },
    { index: 2, name: "eth0", mtu: 1400, isUp: true },
    { index: 3, name: "darse0", mtu: 1400, isUp: true, kind: "bridge" },
    { index: 4, name: "vpn0", mtu: 1280, isUp: true },
  ],
  addresses: [
    { linkIndex: 2, address: "192.0.2.2", prefixLength: 24 },
    { linkIndex: 2, address: "fd00::2", prefixLength: 64 },
    { linkIndex: 3, address: "172.17.0.1", prefixLength: 16 },
  ],
  routes: [
    { ...route, family: "ipv6", gateway: "fd00::1", linkIndex: 4 },
    { ...route, family: "ipv4", gateway: "192.0.2.1", linkIndex: 2 },
    { ...route, family: "ipv4", destination: "172.17.0.0", prefixLength: 16, linkIndex: 3 },
    { ...route, family: "ipv4", destination: "172.18.0.0", prefixLength: 16, linkIndex: 4, table: 1000 },
    {
      ...route,
      family: "ipv4",
      destination: "127.0.0.0",
      prefixLength: 8,
      linkIndex: 1,
      table: 255,
      isUnicast: false,
    },
  ],
};

test("the MTU is that of the IPv4 default route's device", () => expect(uplinkMtu(view)).toBe(1400));

test("without an IPv4 default route the MTU is that of the IPv6 one", () => {
  expect(uplinkMtu({ ...view, routes: view.routes.filter(({ family }) => family === "ipv6") })).toBe(1280);
});

test("without a default route the MTU is 1500", () => expect(uplinkMtu({ ...view, routes: [] })).toBe(1500));

test("taken are routes of every table, addresses and IPv4 resolvers, but not what is our own", () => {
  const taken = takenSubnets(view, new Set(["darse0"]), ["172.19.0.53", "fd00::53"]);
  expect(taken.map(({ subnet, holder }) => [formatSubnet(subnet), holder])).toEqual([
    ["172.18.0.0/16", "the route of this host through vpn0"],
    ["192.0.2.0/24", "the address of this host on eth0"],
    ["fd00::/64", "the address of this host on eth0"],
    ["172.19.0.53/32", "a name server of this host"],
  ]);
});
