import { expect, test } from "bun:test";
import { type NetworkFlags, parseNetworking } from "./network.ts";

const none: NetworkFlags = {
  networks: [],
  aliases: [],
  ip: undefined,
  ip6: undefined,
  linkLocalIps: [],
  macAddress: undefined,
  links: [],
};

const table: [string, Partial<NetworkFlags>, string, object][] = [
  ["no network", {}, "default", {}],
  ["a name", { networks: ["web"] }, "web", {}],
  ["host", { networks: ["host"] }, "host", {}],
  ["another container's", { networks: ["container:x"] }, "container:x", {}],
  [
    "a name with alias and address",
    { networks: ["web"], aliases: ["db"], ip: "10.0.0.2", macAddress: "02:42:0a:00:00:02" },
    "web",
    { web: { IPAMConfig: { IPv4Address: "10.0.0.2" }, Aliases: ["db"], MacAddress: "02:42:0a:00:00:02" } },
  ],
  [
    "the long form",
    { networks: ["name=web,alias=a,alias=b,ip=10.0.0.2,driver-opt=x=y,gw-priority=5"] },
    "web",
    {
      web: {
        Aliases: ["a", "b"],
        DriverOpts: { x: "y" },
        IPAMConfig: { IPv4Address: "10.0.0.2" },
        GwPriority: 5,
      },
    },
  ],
  ["two networks", { networks: ["web", "name=db,alias=x"] }, "web", { web: {}, db: { Aliases: ["x"] } }],
];

for (const [name, flags, mode, endpoints] of table) {
  test(`${name} gives mode ${mode}`, () => {
    const networking: object = parseNetworking({ ...none, ...flags });
    expect(networking).toEqual({ mode, endpoints });
  });
}

test("a network named twice, without a name or with an unknown key is refused", () => {
  const parse = (...networks: string[]) => parseNetworking({ ...none, networks });
  expect(() => parse("a", "a")).toThrow('network "a" is specified multiple times');
  expect(() => parse("alias=x")).toThrow("it has no name=");
  expect(() => parse("name=a,nope=1")).toThrow("invalid field nope");
});
