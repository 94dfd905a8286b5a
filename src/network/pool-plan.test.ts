import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import type { TakenSubnet } from "./host-view.ts";
import type { PoolRequest } from "./network-request.ts";
import { planPools } from "./pool-plan.ts";
import type { PoolWish, PoolWorld } from "./pool-plan.ts";
import { parseSubnet } from "./subnet.ts";

const taken = (subnet: string, holder: string): TakenSubnet => ({ subnet: parseSubnet(subnet), holder });

const world: PoolWorld = {
  slices: ["172.18.0.0/24", "172.18.1.0/24", "172.18.2.0/24"].map(parseSubnet),
  networks: [taken("172.18.0.0/24", "network shop")],
  host: [taken("10.9.0.0/16", "the route of this host through vpn0")],
  random: () => Uint8Array.of(1, 2, 3, 4, 5),
};
const wish: PoolWish = { pools: [], families: ["ipv4"], needsGateway: true, sharesHostSubnets: false };

test("a subnet is chosen that no other network has, with its first address as gateway", () => {
  expect(planPools(wish, world)).toEqual([{ subnet: "172.18.1.0/24", gateway: "172.18.1.1", auxiliary: {} }]);
});

test("a family without a subnet is given one, IPv4 first", () => {
  const pools = [{ subnet: "fd00:9::/64" }];
  const planned = planPools({ ...wish, pools, families: ["ipv4", "ipv6"] }, world);
  expect(planned.map(({ subnet, gateway }) => [subnet, gateway])).toEqual([
    ["172.18.1.0/24", "172.18.1.1"],
    ["fd00:9::/64", "fd00:9::1"],
  ]);
  const [, chosen] = planPools({ ...wish, families: ["ipv4", "ipv6"] }, world);
  expect(chosen?.subnet).toBe("fd01:203:405::/64");
});

test("a gateway is not an address that somebody else has, and comes from the range", () => {
  const one = (pool: PoolRequest): string | undefined =>
    planPools({ ...wish, pools: [pool] }, world)[0]?.gateway;
  expect(one({ subnet: "10.1.0.0/24", auxiliary: { router: "10.1.0.1" } })).toBe("10.1.0.2");
  expect(one({ subnet: "10.1.0.0/24", range: "10.1.0.128/25" })).toBe("10.1.0.128");
  expect(one({ subnet: "10.1.0.0/24", gateway: "10.1.0.254" })).toBe("10.1.0.254");
});

test("where the gateway is not the engine's there is none unless it is named", () => {
  const lan = { ...wish, needsGateway: false, sharesHostSubnets: true };
  const pools = [{ subnet: "10.9.1.0/24" }];
  expect(planPools({ ...lan, pools }, world)).toEqual([{ subnet: "10.9.1.0/24", auxiliary: {} }]);
});

const clashes: [string, string, RegExp][] = [
  ["another network", "172.18.0.128/25", /overlaps 172\.18\.0\.0\/24 of network shop/],
  ["a route of the host", "10.9.3.0/24", /overlaps 10\.9\.0\.0\/16 of the route of this host through vpn0/],
];
for (const [what, subnet, hint] of clashes) {
  test(`a clash with ${what} is forbidden in Docker's words, and the hint names it`, () => {
    expect(() => planPools({ ...wish, pools: [{ subnet }] }, world)).toThrow(
      expect.objectContaining({
        kind: "forbidden",
        message: expect.stringMatching(
          /^invalid pool request: Pool overlaps with other one on this address space/,
        ),
        hint: expect.stringMatching(hint),
      }),
    );
  });
}

const refused: [PoolRequest, string][] = [
  [{ subnet: "10.0.0.0" }, "invalid subnet 10.0.0.0: invalid CIDR block notation"],
  [{ subnet: "10.0.0.1/24" }, "invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24"],
  [
    { subnet: "10.0.0.0/24", gateway: "10.0.1.1" },
    "invalid gateway 10.0.1.1: parent subnet 10.0.0.0/24 doesn't contain this address",
  ],
  [{ subnet: "10.0.0.0/24", gateway: "fd00::1" }, "invalid gateway fd00::1: parent subnet is an IPv4 block"],
  [{ subnet: "10.0.0.0/24", gateway: "x" }, "invalid gateway x: invalid address"],
  [
    { subnet: "10.0.0.0/24", range: "10.0.0.0/16" },
    "invalid ip-range 10.0.0.0/16: CIDR block is bigger than its parent subnet 10.0.0.0/24",
  ],
  [
    { subnet: "10.0.0.0/24", range: "10.1.0.0/25" },
    "invalid ip-range 10.1.0.0/25: parent subnet 10.0.0.0/24 doesn't contain ip-range",
  ],
  [{ subnet: "10.0.0.0/24", range: "10.0.0.5/25" }, "invalid ip-range 10.0.0.5/25: it should be 10.0.0.0/25"],
  [
    { subnet: "10.0.0.0/24", auxiliary: { a: "10.0.1.1" } },
    "invalid auxiliary address a: parent subnet 10.0.0.0/24 doesn't contain this address",
  ],
];
for (const [pool, fault] of refused) {
  test(`${JSON.stringify(pool)} is refused: ${fault}`, () => {
    const plan = (): unknown => planPools({ ...wish, pools: [pool] }, world);
    expect(plan).toThrow(EngineError);
    expect(plan).toThrow(`invalid network config:\n${fault}`);
  });
}

test("all that is wrong is told at once", () => {
  const pools = [{ subnet: "10.0.0.1/24", gateway: "11.0.0.1" }, { subnet: "nope" }];
  expect(() => planPools({ ...wish, pools }, world)).toThrow(
    /it should be[^]*invalid gateway[^]*invalid subnet nope/,
  );
});
