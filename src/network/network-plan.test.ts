import { expect, test } from "bun:test";
import { planNetwork } from "./network-plan.ts";
import type { PlanWorld } from "./network-plan.ts";
import { newNetworkRecord } from "./network-record.ts";
import type { NewNetwork } from "./network-record.ts";
import type { NetworkRequest } from "./network-request.ts";
import { parseSubnet } from "./subnet.ts";

const existing: NewNetwork[] = [
  { name: "bridge", driver: "bridge", created: 0, options: { "com.docker.network.bridge.name": "darse0" } },
  { name: "shop", driver: "bridge", created: 0, options: { "com.docker.network.bridge.name": "br-shop" } },
  { name: "lan", driver: "macvlan", created: 0, options: { parent: "eth1", macvlan_mode: "passthru" } },
  { name: "wide", driver: "ipvlan", created: 0, options: { parent: "eth2" } },
  {
    name: "settings",
    driver: "null",
    created: 0,
    isConfigOnly: true,
    labels: { from: "settings" },
    pools: [{ subnet: "10.7.0.0/24", auxiliary: {} }],
  },
];
const world: PlanWorld = {
  existing: existing.map(newNetworkRecord),
  now: 7,
  slices: [parseSubnet("172.18.0.0/24")],
  networks: [],
  host: [],
  random: () => new Uint8Array(5),
};

function plan(request: Omit<NetworkRequest, "name"> & { name?: string }): NewNetwork {
  return planNetwork({ name: "own", ...request }, world);
}

test("a plain network is a bridge with IPv4", () => {
  expect(plan({})).toMatchObject({
    name: "own",
    driver: "bridge",
    created: 7,
    hasIpv4: true,
    hasIpv6: false,
    isInternal: false,
    pools: [{ subnet: "172.18.0.0/24", gateway: "172.18.0.1" }],
    ipamDriver: "default",
  });
});

test("families are what the flags say, else what the driver's options say", () => {
  const options = { "com.docker.network.enable_ipv4": "false", "com.docker.network.enable_ipv6": "true" };
  expect(plan({ options })).toMatchObject({ hasIpv4: false, hasIpv6: true });
  expect(plan({ options, hasIpv4: true, hasIpv6: false })).toMatchObject({ hasIpv4: true, hasIpv6: false });
});

test("settings come from a network that is nothing but settings", () => {
  expect(plan({ configFrom: "settings" })).toMatchObject({
    configFrom: "settings",
    labels: { from: "settings" },
    pools: [{ subnet: "10.7.0.0/24", gateway: "10.7.0.1" }],
  });
  expect(plan({ isConfigOnly: true, pools: [{ subnet: "10.8.0.0/24" }] })).toMatchObject({
    driver: "null",
    isConfigOnly: true,
    pools: [{ subnet: "10.8.0.0/24" }],
  });
});

test("a LAN shares the host's own subnet, and needs no gateway", () => {
  const host = [{ subnet: parseSubnet("192.0.2.0/24"), holder: "eth0" }];
  const request = {
    name: "own",
    driver: "macvlan",
    pools: [{ subnet: "192.0.2.0/24" }],
    options: { parent: "eth0.50" },
  };
  expect(planNetwork(request, { ...world, host }).pools).toEqual([{ subnet: "192.0.2.0/24", auxiliary: {} }]);
});

const BRIDGE = "com.docker.network.bridge";
const refused: [Omit<NetworkRequest, "name"> & { name?: string }, string, RegExp][] = [
  [{ name: "bridge" }, "forbidden", /^operation is not permitted on predefined bridge network/],
  [{ name: "" }, "invalid", /^invalid name: name is empty/],
  [{ name: "a/b" }, "invalid", /^invalid name/],
  [{ name: "shop" }, "conflict", /^network with name shop already exists/],
  [{ driver: "overlay" }, "forbidden", /^This node is not a swarm manager/],
  [{ driver: "host" }, "forbidden", /^only one instance of "host" network is allowed/],
  [{ driver: "weave" }, "not-found", /^plugin "weave" not found/],
  [{ ipamDriver: "infoblox" }, "not-found", /^plugin "infoblox" not found/],
  [{ isIngress: true }, "forbidden", /^Ingress network can only be global scope network/],
  [{ scope: "swarm" }, "forbidden", /swarm is not active/],
  [{ isConfigOnly: true, isInternal: true }, "forbidden", /can only contain network specific fields/],
  [{ configFrom: "shop" }, "not-found", /^configuration network "shop" does not exist/],
  [{ configFrom: "settings", hasIpv6: true }, "forbidden", /user-specified configurations are not supported/],
  [{ configFrom: "settings", options: { a: "b" } }, "forbidden", /network driver options are not supported/],
  [{ options: { [`${BRIDGE}.name`]: "br-shop" } }, "forbidden", /networks have same bridge name/],
  [{ options: { [`${BRIDGE}.name`]: 'x" drop' } }, "invalid", /bridge\.name value/],
  [{ options: { [`${BRIDGE}.enable_icc`]: "maybe" } }, "invalid", /enable_icc value: maybe/],
  [{ options: { [`${BRIDGE}.gateway_mode_ipv4`]: "fast" } }, "invalid", /unknown gateway mode/],
  [{ options: { [`${BRIDGE}.host_binding_ipv4`]: "x" } }, "invalid", /host_binding_ipv4 value: x/],
  [{ options: { "com.docker.network.driver.mtu": "10" } }, "invalid", /driver\.mtu value: 10/],
  [{ options: { "com.docker.network.enable_ipv6": "x" } }, "invalid", /is not a valid bool/],
  [
    { driver: "macvlan", options: { parent: "lo" } },
    "invalid",
    /loopback interface is not a valid macvlan parent/,
  ],
  [
    { driver: "macvlan", options: { macvlan_mode: "fast" } },
    "invalid",
    /requested macvlan mode 'fast' is not valid/,
  ],
  [
    { driver: "ipvlan", options: { ipvlan_mode: "l4" } },
    "invalid",
    /requested ipvlan mode 'l4' is not valid/,
  ],
  [
    { driver: "macvlan", options: { parent: "eth1" } },
    "forbidden",
    /network lan is already using parent interface eth1/,
  ],
  [
    { driver: "ipvlan", options: { parent: "eth2" } },
    "forbidden",
    /network wide is already using parent interface eth2/,
  ],
];
for (const [request, kind, message] of refused) {
  test(`${JSON.stringify(request)} is ${kind}`, () => {
    expect(() => plan(request)).toThrow(
      expect.objectContaining({ kind, message: expect.stringMatching(message) }),
    );
  });
}
