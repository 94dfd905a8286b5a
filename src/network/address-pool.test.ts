import { expect, test } from "bun:test";
import { chooseSubnet, DEFAULT_POOLS, gatewayOf, nextAddress } from "./address-pool.ts";
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
    const taken = new Set(used.map(parseAddress));
    const last = previous === undefined ? undefined : parseAddress(previous);
    expect(formatAddress(nextAddress(subnet, last, (address) => taken.has(address)))).toBe(expected);
  });
}

test("nextAddress() gives neither network, gateway nor broadcast address, and says when all are used", () => {
  const given: string[] = [];
  const taken = new Set<number>();
  for (let i = 0; i < 5; i++) {
    const address = nextAddress(subnet, undefined, (one) => taken.has(one));
    taken.add(address);
    given.push(formatAddress(address));
  }
  expect(given).toEqual(["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
  expect(() => nextAddress(subnet, undefined, (one) => taken.has(one))).toThrow(
    "no available IPv4 addresses on this network's address pools: 10.0.0.0/29",
  );
});

test("the gateway is the first address", () => {
  expect(formatAddress(gatewayOf(parseSubnet("172.17.0.0/16")))).toBe("172.17.0.1");
});
