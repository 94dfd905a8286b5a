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

const refused: [string, Partial<NetworkFlags>, string][] = [
  ["a network named twice", { networks: ["a", "a"] }, 'network "a" is specified multiple times'],
  ["the long form without a name", { networks: ["alias=x"] }, "network name/id is not specified"],
  ["an unknown key", { networks: ["name=a,nope=1"] }, "invalid field key nope"],
  ["a key alone", { networks: ["name=a,alias"] }, "invalid field alias"],
  ["an address that is none", { networks: ["name=a,ip=x"] }, 'ParseAddr("x"): unable to parse IP'],
  [
    "a priority that is none",
    { networks: ["name=a,gw-priority=x"] },
    "invalid gw-priority (x): invalid syntax",
  ],
  [
    "an option without value",
    { networks: ["name=a,driver-opt=x"] },
    "invalid key value pair format in driver options",
  ],
  ["a MAC address that is none", { macAddress: "x" }, "x is not a valid mac address"],
  [
    "an alias on the bridge",
    { networks: ["bridge"], aliases: ["a"] },
    "network-scoped aliases are only supported for user-defined networks",
  ],
  [
    "an address said twice",
    { networks: ["name=a,ip=10.0.0.2"], ip: "10.0.0.3" },
    "conflicting options: cannot specify both --ip and per-network IPv4 address",
  ],
  [
    "the host's network and another",
    { networks: ["host", "web"] },
    "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
  ],
  ["a link of three parts", { networks: ["web"], links: ["a:b:c"] }, "bad format for links: a:b:c"],
];
for (const [what, flags, message] of refused) {
  test(`${what} is refused`, () => {
    expect(() => parseNetworking({ ...none, ...flags })).toThrow(message);
  });
}

test("a MAC address has one spelling, a link on a user-defined network is the endpoint's", () => {
  const flags = {
    networks: ["web"],
    macAddress: "0242.0A00.0002",
    links: ["db:data"],
    linkLocalIps: ["fe80::9"],
  };
  expect(parseNetworking({ ...none, ...flags }).endpoints).toEqual({
    web: { MacAddress: "02:42:0a:00:00:02", Links: ["db:data"], IPAMConfig: { LinkLocalIPs: ["fe80::9"] } },
  });
});
