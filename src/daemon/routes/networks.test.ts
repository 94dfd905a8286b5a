import { expect, test } from "bun:test";
import { ApiVersion, NEWEST_API } from "#api/version.ts";
import type { NetworkId } from "#base/ids.ts";
import type { Attachment } from "#network/attachment.ts";
import { newNetworkRecord } from "#network/network-record.ts";
import type { NetworkInfo, NewNetwork } from "#network/network-record.ts";
import type { RouteRequest } from "../http/route.ts";
import { type NetworkedContainers, networkRoutes, type Networks } from "./networks.ts";

const id = (digit: string): NetworkId => digit.repeat(64) as NetworkId;

const network = (digit: string, change: NewNetwork): NetworkInfo => ({
  ...newNetworkRecord(change),
  id: id(digit),
});

const NETWORKS: readonly NetworkInfo[] = [
  network("a", {
    name: "bridge",
    driver: "bridge",
    created: 0,
    pools: [{ subnet: "172.17.0.0/16", gateway: "172.17.0.1", auxiliary: {} }],
    options: { "com.docker.network.bridge.name": "darse0" },
  }),
  network("b", { name: "host", driver: "host", created: 0 }),
  network("c", { name: "none", driver: "null", created: 0 }),
  network("d", {
    name: "shop",
    driver: "bridge",
    created: 5000,
    hasIpv6: true,
    isInternal: true,
    pools: [
      {
        subnet: "10.1.0.0/24",
        gateway: "10.1.0.1",
        range: "10.1.0.128/25",
        auxiliary: { printer: "10.1.0.9" },
      },
      { subnet: "fd00:1::/64", gateway: "fd00:1::1", auxiliary: {} },
    ],
    labels: { team: "a" },
  }),
];

const attached = (owner: string): Attachment => ({
  id: owner,
  name: owner,
  isShared: false,
  isContainer: true,
  ports: [],
  endpoints: [
    {
      networkId: id("a"),
      networkName: "bridge",
      endpointId: "e1",
      ipv4: "172.17.0.2",
      prefix: 16,
      mac: "02:42:ac:11:00:02",
    },
  ],
});

const networks: Networks = {
  list: () => NETWORKS,
  get: (name) => {
    const found = NETWORKS.find((network) => network.name === name || network.id.startsWith(name));
    if (!found) throw new Error(`network ${name} not found`);
    return found;
  },
  attachments: (one) => (one === id("a") ? [attached("c1"), attached("build-step")] : []),
  addressesInUse: () => 1,
  create: async (request) => {
    asked.push(request);
    return network("e", { name: request.name, driver: "bridge", created: 0 });
  },
  remove: async (name) => networks.get(name),
  prune: async (isWanted) =>
    NETWORKS.slice(3)
      .filter(isWanted)
      .map(({ name }) => name),
};

const asked: unknown[] = [];
const containers: NetworkedContainers = {
  connectNetwork: async (...args) => void asked.push(args),
  disconnectNetwork: async (...args) => void asked.push(args),
};

async function call(
  method: string,
  path: string,
  {
    filters,
    param = "",
    body,
    version = NEWEST_API,
  }: {
    filters?: object;
    param?: string;
    body?: unknown;
    version?: ApiVersion;
  } = {},
): Promise<unknown> {
  const containerNames = () => new Map([["c1", "web"]]);
  const routes = networkRoutes({ networks, containers, containerNames, clock: () => 10_000 });
  const route = routes.find((one) => one.method === method && one.path === path);
  if (!route) throw new Error(`no route ${method} ${path}`);
  const request: RouteRequest = {
    method,
    path,
    apiVersion: version,
    query: new URLSearchParams(filters && { filters: JSON.stringify(filters) }),
    headers: new Map(),
    signal: new AbortController().signal,
    param: () => param,
    json: async () => body,
    body: (async function* () {})(),
    hijack: () => Promise.reject(new Error("nothing to take over")),
  };
  const reply = await route.handle(request);
  return reply.kind === "json" ? reply.body : reply.kind === "empty" ? reply.status : undefined;
}

const lists: [Record<string, string[]>, string[]][] = [
  [{}, ["bridge", "host", "none", "shop"]],
  [{ name: ["o"] }, ["host", "none", "shop"]],
  [{ name: ["^host$"] }, ["host"]],
  [{ id: ["aaa"] }, ["bridge"]],
  [{ driver: ["null", "host"] }, ["host", "none"]],
  [{ scope: ["local"] }, ["bridge", "host", "none", "shop"]],
  [{ scope: ["swarm"] }, []],
  [{ type: ["builtin"] }, ["bridge", "host", "none"]],
  [{ type: ["custom"] }, ["shop"]],
  [{ label: ["x"] }, []],
  [{ label: ["team=a"] }, ["shop"]],
  [{ label: ["team=b"] }, []],
  [{ dangling: ["true"] }, ["shop"]],
  [{ dangling: ["false"] }, ["bridge", "host", "none"]],
];

for (const [filters, want] of lists) {
  test(`${JSON.stringify(filters)} lists ${want.join(", ") || "nothing"}`, async () => {
    expect(await call("GET", "/networks", { filters })).toMatchObject(want.map((Name) => ({ Name })));
  });
}

for (const filters of [{ nope: ["x"] }, { type: ["mine"] }, { dangling: ["x"] }]) {
  test(`${JSON.stringify(filters)} is refused`, async () => {
    expect(call("GET", "/networks", { filters })).rejects.toThrow(/invalid filter/);
  });
}

test("inspect shows the containers, not the build steps, with their addresses", async () => {
  expect(await call("GET", "/networks/{id}", { param: "bridge" })).toMatchObject({
    IPAM: { Config: [{ Subnet: "172.17.0.0/16", Gateway: "172.17.0.1" }] },
    Containers: {
      c1: {
        Name: "web",
        EndpointID: "e1",
        MacAddress: "02:42:ac:11:00:02",
        IPv4Address: "172.17.0.2/16",
        IPv6Address: "",
      },
    },
  });
});

test("a list has no containers in it", async () => {
  expect(JSON.stringify(await call("GET", "/networks"))).not.toContain("Containers");
});

test("inspect shows pools, ranges and how full they are", async () => {
  const found = await call("GET", "/networks/{id}", { param: "shop" });
  expect(found).toMatchObject({
    EnableIPv6: true,
    Internal: true,
    IPAM: {
      Config: [
        {
          Subnet: "10.1.0.0/24",
          IPRange: "10.1.0.128/25",
          Gateway: "10.1.0.1",
          AuxiliaryAddresses: { printer: "10.1.0.9" },
        },
        { Subnet: "fd00:1::/64", Gateway: "fd00:1::1" },
      ],
    },
    Status: { IPAM: { Subnets: { "10.1.0.0/24": { IPsInUse: 5, DynamicIPsAvailable: 126 } } } },
  });
});

test("clients before 1.52 are told nothing of addresses in use", async () => {
  const old = await call("GET", "/networks/{id}", { param: "shop", version: new ApiVersion(1, 51) });
  expect(JSON.stringify(old)).not.toContain("Status");
});

test("create hands on what was asked for", async () => {
  const body = {
    Name: "n",
    Driver: "bridge",
    EnableIPv6: true,
    IPAM: {
      Driver: "default",
      Options: {},
      Config: [{ Subnet: "10.0.0.0/24", AuxiliaryAddresses: { a: "10.0.0.9" } }],
    },
    Internal: true,
    Options: { "com.docker.network.driver.mtu": "1300" },
    Labels: { a: "b" },
  };
  expect(await call("POST", "/networks/create", { body })).toEqual({ Id: id("e"), Warning: "" });
  expect(asked.pop()).toEqual({
    name: "n",
    driver: "bridge",
    hasIpv6: true,
    isInternal: true,
    ipamDriver: "default",
    ipamOptions: {},
    pools: [{ subnet: "10.0.0.0/24", auxiliary: { a: "10.0.0.9" } }],
    options: { "com.docker.network.driver.mtu": "1300" },
    labels: { a: "b" },
  });
});

test("clients before 1.48 can not switch IPv4 off, as they do not know that they would", async () => {
  await call("POST", "/networks/create", {
    body: { Name: "n", EnableIPv4: false },
    version: new ApiVersion(1, 47),
  });
  expect(asked.pop()).toEqual({ name: "n" });
});

for (const [version, macAddress] of [
  [53, undefined],
  [54, "02:00:00:00:00:01"],
] as const) {
  test(`a MAC address of connect ${macAddress ? "is taken" : "is passed over"} from a client of 1.${version}`, async () => {
    const body = { Container: "web", EndpointConfig: { Aliases: ["db"], MacAddress: "02:00:00:00:00:01" } };
    const param = "shop";
    expect(
      await call("POST", "/networks/{id}/connect", { body, param, version: new ApiVersion(1, version) }),
    ).toBe(200);
    expect(asked.pop()).toMatchObject(["web", "shop", { aliases: ["db"], macAddress }]);
  });
}

test("disconnect says whether by force", async () => {
  const body = { Container: "web", Force: true };
  expect(await call("POST", "/networks/{id}/disconnect", { body, param: "shop" })).toBe(200);
  expect(asked.pop()).toEqual(["web", "shop", { force: true }]);
});

const pruned: [object, string[] | null][] = [
  [{}, ["shop"]],
  [{ until: ["4"] }, null],
  [{ until: ["6"] }, ["shop"]],
  [{ label: ["team"] }, ["shop"]],
  [{ "label!": ["team"] }, null],
];
for (const [filters, want] of pruned) {
  test(`prune with ${JSON.stringify(filters)} removes ${want?.join() ?? "nothing"}`, async () => {
    expect(await call("POST", "/networks/prune", { filters })).toEqual({ NetworksDeleted: want });
  });
}
