import { expect, test } from "bun:test";
import { NameTable } from "./name-table.ts";
import type { NamedContainer, NamedEndpoint } from "./name-table.ts";

function on(networkName: string, names: string[], ipv4?: string, ipv6?: string): NamedEndpoint {
  const addresses = { ...(ipv4 !== undefined && { ipv4 }), ...(ipv6 !== undefined && { ipv6 }) };
  return { networkId: `id-${networkName}`, networkName, names, ...addresses };
}

const CONTAINERS: NamedContainer[] = [
  { id: "web", endpoints: [on("Front", ["web", "www"], "10.1.0.2"), on("back", ["web"], "10.2.0.2")] },
  { id: "db", endpoints: [on("back", ["db", "Store", "0123456789ab"], "10.2.0.3", "fd00:0::3")] },
  { id: "db2", endpoints: [on("back", ["db2", "store"], "10.2.0.4")] },
  { id: "other", endpoints: [on("front", ["other"], "10.3.0.2")] },
  { id: "linker", endpoints: [on("back", ["linker"], "10.2.0.5")], links: new Map([["mysql", "db2"]]) },
];
const table = new NameTable(CONTAINERS);

const NAMES: readonly (readonly [asker: string, name: string, ipv4: string[] | undefined])[] = [
  ["web", "db", ["10.2.0.3"]],
  ["web", "0123456789ab", ["10.2.0.3"]],
  ["web", "store", ["10.2.0.3", "10.2.0.4"]],
  ["web", "db.back", ["10.2.0.3"]],
  ["web", "web.back", ["10.2.0.2"]],
  ["web", "web.front", ["10.1.0.2"]],
  ["web", "web", ["10.1.0.2"]],
  ["db", "web", ["10.2.0.2"]],
  ["db", "www", undefined],
  ["db", "web.front", undefined],
  ["other", "web", undefined],
  ["web", "db.front", undefined],
  ["web", "nobody", undefined],
  ["linker", "mysql", ["10.2.0.4"]],
  ["db", "mysql", undefined],
  ["stranger", "db", undefined],
];

for (const [asker, name, ipv4] of NAMES) {
  test(`${asker} asks for ${name}: ${ipv4?.join(", ") ?? "not known"}`, () => {
    expect(table.findName(asker, name)?.ipv4).toEqual(ipv4);
  });
}

test("a name without an address of a family is known all the same", () => {
  expect(table.findName("web", "db2")).toEqual({ ipv4: ["10.2.0.4"], ipv6: [] });
});

test("addresses have names for those who share the network", () => {
  expect(table.findAddress("web", "10.2.0.3")).toBe("db.back");
  expect(table.findAddress("web", "fd00::3")).toBe("db.back");
  expect(table.findAddress("other", "10.2.0.3")).toBeUndefined();
});
