import { expect, test } from "bun:test";
import { contains, formatAddress, formatSubnet, lastAddress, overlaps, parseSubnet } from "./subnet.ts";

const PARSED: [string, string, string][] = [
  ["172.17.0.0/16", "172.17.0.0/16", "172.17.255.255"],
  ["172.17.5.9/16", "172.17.0.0/16", "172.17.255.255"],
  ["192.168.240.0/20", "192.168.240.0/20", "192.168.255.255"],
  ["0.0.0.0/0", "0.0.0.0/0", "255.255.255.255"],
  ["255.255.255.255/32", "255.255.255.255/32", "255.255.255.255"],
  ["fd00:1:2:3:4::9/64", "fd00:1:2:3::/64", "fd00:1:2:3:ffff:ffff:ffff:ffff"],
  ["::/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
];

for (const [text, network, last] of PARSED) {
  test(`${text} is ${network}, up to ${last}`, () => {
    const subnet = parseSubnet(text);
    expect(formatSubnet(subnet)).toBe(network);
    expect(formatAddress(lastAddress(subnet), subnet.family)).toBe(last);
  });
}

for (const text of [
  "",
  "10.0.0.0",
  "10.0.0.0/33",
  "10.0.0.0/8/8",
  "10.0.0/8",
  "10.0.0.256/8",
  "10.0.0.0/ 8",
  "fd00::/129",
  "fd00:::/64",
]) {
  test(`${JSON.stringify(text)} is not a subnet`, () =>
    expect(() => parseSubnet(text)).toThrow("Cannot parse"));
}

const OVERLAPS: [string, string, boolean][] = [
  ["172.17.0.0/16", "172.17.0.0/16", true],
  ["172.17.0.0/16", "172.17.200.0/24", true],
  ["172.17.200.0/24", "172.17.0.0/16", true],
  ["172.17.0.0/16", "172.18.0.0/16", false],
  ["192.168.0.0/20", "192.168.16.0/20", false],
  ["10.0.0.0/8", "0.0.0.0/0", true],
  ["128.0.0.0/1", "0.0.0.0/1", false],
  ["fd00::/8", "fdab::/64", true],
  ["fd00::/64", "fd00:0:0:1::/64", false],
  ["0.0.0.0/0", "::/0", false],
];

for (const [left, right, expected] of OVERLAPS) {
  test(`${left} and ${right} ${expected ? "overlap" : "are apart"}`, () => {
    expect(overlaps(parseSubnet(left), parseSubnet(right))).toBe(expected);
  });
}

test("a subnet contains its own addresses only", () => {
  const subnet = parseSubnet("172.29.9.0/24");
  expect(contains(subnet, "172.29.9.255")).toBe(true);
  expect(contains(subnet, "172.29.10.0")).toBe(false);
});
