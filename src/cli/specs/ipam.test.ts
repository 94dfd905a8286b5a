import { expect, test } from "bun:test";
import { type IpamFlags, parseIpam } from "./ipam.ts";

const none: IpamFlags = { subnets: [], ranges: [], gateways: [], auxAddresses: {} };

test("each range, gateway and auxiliary address goes to the subnet that holds it", () => {
  const pools = parseIpam({
    subnets: ["10.1.0.0/16", "fd00:1::/64"],
    ranges: ["10.1.8.0/24"],
    gateways: ["fd00:1::1", "10.1.0.254"],
    auxAddresses: { printer: "10.1.0.9", ghost: "" },
  });
  expect(pools).toEqual([
    {
      Subnet: "10.1.0.0/16",
      IPRange: "10.1.8.0/24",
      Gateway: "10.1.0.254",
      AuxiliaryAddresses: { printer: "10.1.0.9" },
    },
    { Subnet: "fd00:1::/64", IPRange: undefined, Gateway: "fd00:1::1", AuxiliaryAddresses: undefined },
  ]);
  expect(parseIpam(none)).toEqual([]);
});

const refused: [string, Partial<IpamFlags>, string][] = [
  [
    "a gateway alone",
    { gateways: ["10.0.0.1"] },
    "every ip-range or gateway must have a corresponding subnet",
  ],
  ["no subnet", { subnets: ["10.0.0.0"] }, "invalid subnet: invalid CIDR address: 10.0.0.0"],
  ["too long a prefix", { subnets: ["10.0.0.0/33"] }, "invalid subnet: invalid CIDR address: 10.0.0.0/33"],
  [
    "subnets that overlap",
    { subnets: ["10.0.0.0/16", "10.0.4.0/24"] },
    "multiple overlapping subnet configuration is not supported",
  ],
  [
    "a range elsewhere",
    { subnets: ["10.0.0.0/16"], ranges: ["10.1.0.0/24"] },
    "no matching subnet for range 10.1.0.0/24",
  ],
  [
    "a range that is none",
    { subnets: ["10.0.0.0/16"], ranges: ["x"] },
    "invalid string being converted to CIDR: x",
  ],
  [
    "two gateways of one subnet",
    { subnets: ["10.0.0.0/16", "10.1.0.0/16"], gateways: ["10.0.0.1", "10.0.0.2"] },
    "cannot configure multiple gateways (10.0.0.2, 10.0.0.1) for the same subnet (10.0.0.0/16)",
  ],
  [
    "an auxiliary address of another family",
    { subnets: ["10.0.0.0/16"], auxAddresses: { a: "fd00::1" } },
    "no matching subnet for aux-address fd00::1",
  ],
];
for (const [what, flags, message] of refused) {
  test(`${what} is refused`, () => {
    expect(() => parseIpam({ ...none, ...flags })).toThrow(message);
  });
}
