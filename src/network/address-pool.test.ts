import { expect, test } from "bun:test";
import {
  chooseSubnet,
  chooseUniqueLocal,
  DEFAULT_POOLS,
  gatewayOf,
  networkSlices,
  nextAddress,
} from "./address-pool.ts";
import type { AddressChoice } from "./address-pool.ts";
import { formatAddress, formatSubnet, parseAddress, parseSubnet } from "./subnet.ts";

test("the pools are Docker's: 172.17 to 172.31, then 192.168 in slices of 20 bits", () => {
  const pools = DEFAULT_POOLS.map(formatSubnet);
  expect(pools).toHaveLength(31);
  expect([pools[0], pools[14], pools[15], pools[30]]).toEqual([
    "172.17.0.0/16",
    "172.31.0.0/16",
    "192.168.0.0/20",
    "192.168.240.0/20",
  ]);
});

const CHOICES: [string, string[], string][] = [
  ["nothing is taken", [], "172.17.0.0/16"],
  ["a host route lies inside the first", ["172.17.3.0/24"], "172.18.0.0/16"],
  ["a route covers all of 172.16/12", ["172.16.0.0/12"], "192.168.0.0/20"],
  ["a resolver is in the first", ["172.17.0.53/32"], "172.18.0.0/16"],
];

for (const [name, taken, expected] of CHOICES) {
  test(`${expected} is chosen when ${name}`, () => {
    expect(formatSubnet(chooseSubnet(DEFAULT_POOLS, taken.map(parseSubnet)))).toBe(expected);
  });
}

test("no pool is left when the host routes everything", () => {
  expect(() => chooseSubnet(DEFAULT_POOLS, [parseSubnet("128.0.0.0/1")])).toThrow(
    "all predefined address pools have been fully subnetted",
  );
});

const subnet = parseSubnet("10.0.0.0/29");
const NEXT: [string, string | undefined, string[], string][] = [
  ["the first is .2, after the gateway", undefined, [], "10.0.0.2"],
  ["it rises", "10.0.0.2", [], "10.0.0.3"],
  ["one just released is not used again at once", "10.0.0.4", ["10.0.0.2"], "10.0.0.5"],
  ["those in use are passed over", "10.0.0.2", ["10.0.0.3", "10.0.0.4"], "10.0.0.5"],
  ["after the last comes the first", "10.0.0.6", [], "10.0.0.2"],
  ["round the end, those in use are passed over", "10.0.0.6", ["10.0.0.2"], "10.0.0.3"],
  ["one of another subnet counts as none", "172.17.0.9", [], "10.0.0.2"],
];

for (const [name, previous, used, expected] of NEXT) {
  test(`nextAddress(): ${name}`, () => {
    const taken = new Set(["10.0.0.1", ...used].map(parseAddress));
    const last = previous === undefined ? undefined : parseAddress(previous);
    expect(next({ previous: last, isTaken: (address) => taken.has(address) })).toBe(expected);
  });
}

function next(choice: Pick<AddressChoice, "previous" | "range" | "isTaken">): string {
  return formatAddress(nextAddress({ subnet, ...choice }), "ipv4");
}

test("nextAddress() gives neither network nor broadcast address, and says when all are used", () => {
  const taken = new Set<string>();
  const isTaken = (address: bigint): boolean => taken.has(formatAddress(address, "ipv4"));
  for (let i = 0; i < 6; i++) taken.add(next({ isTaken }));
  expect([...taken]).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
  expect(() => next({ isTaken })).toThrow(
    "no available IPv4 addresses on this network's address pools: 10.0.0.0/29",
  );
});

test("nextAddress() stays in the range that was asked for", () => {
  const range = parseSubnet("10.0.0.4/31");
  const taken = new Set<string>();
  const isTaken = (address: bigint): boolean => taken.has(formatAddress(address, "ipv4"));
  for (let i = 0; i < 2; i++) taken.add(next({ range, isTaken }));
  expect([...taken]).toEqual(["10.0.0.4", "10.0.0.5"]);
  expect(() => next({ range, isTaken })).toThrow("no available IPv4 addresses");
});

test("nextAddress() of a large IPv6 network is quick when many are taken", () => {
  const wide = parseSubnet("fd00::/64");
  const isTaken = (address: bigint): boolean => address < wide.base + 1000n;
  expect(formatAddress(nextAddress({ subnet: wide, isTaken }), "ipv6")).toBe("fd00::3e8");
});

test("the gateway is the first address", () => {
  expect(formatAddress(gatewayOf(parseSubnet("172.17.0.0/16")), "ipv4")).toBe("172.17.0.1");
  expect(formatAddress(gatewayOf(parseSubnet("fd00::/64")), "ipv6")).toBe("fd00::1");
});

test("networks that people make are slices of 24 bits, after the default bridge's", () => {
  const slices = [...networkSlices()].map(formatSubnet);
  expect([slices[0], slices[1], slices[256], slices.at(-1)]).toEqual([
    "172.18.0.0/24",
    "172.18.1.0/24",
    "172.19.0.0/24",
    "192.168.255.0/24",
  ]);
});

test("a subnet of unique local addresses is random, and clear of others", () => {
  const random = [Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.of(9, 9, 9, 9, 9)];
  const subnet = chooseUniqueLocal(
    () => random.shift() ?? new Uint8Array(),
    [parseSubnet("fd01:203:405::/64")],
  );
  expect(formatSubnet(subnet)).toBe("fd09:909:909::/64");
});
