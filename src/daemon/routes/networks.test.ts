import { expect, test } from "bun:test";
import { NEWEST_API } from "#api/version.ts";
import type { NetworkId } from "#base/ids.ts";
import type { Attachment } from "#network/attachment.ts";
import type { NetworkInfo } from "#network/network-record.ts";
import type { RouteRequest } from "../http/route.ts";
import { networkRoutes, type Networks } from "./networks.ts";

const id = (digit: string): NetworkId => digit.repeat(64) as NetworkId;

const NETWORKS: readonly NetworkInfo[] = [
  {
    id: id("a"),
    name: "bridge",
    driver: "bridge",
    created: 0,
    subnet: "172.17.0.0/16",
    gateway: "172.17.0.1",
    labels: {},
    options: { "com.docker.network.bridge.name": "darse0" },
  },
  { id: id("b"), name: "host", driver: "host", created: 0, labels: {}, options: {} },
  { id: id("c"), name: "none", driver: "null", created: 0, labels: {}, options: {} },
];

const attached = (owner: string): Attachment => ({
  id: owner,
  name: owner,
  isShared: false,
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
  attachments: (network) => (network === id("a") ? [attached("c1"), attached("build-step")] : []),
};

async function call(method: string, path: string, filters?: object, param = ""): Promise<unknown> {
  const routes = networkRoutes({ networks, containerNames: () => new Map([["c1", "web"]]) });
  const route = routes.find((one) => one.method === method && one.path === path);
  if (!route) throw new Error(`no route ${method} ${path}`);
  const request: RouteRequest = {
    method,
    path,
    apiVersion: NEWEST_API,
    query: new URLSearchParams(filters && { filters: JSON.stringify(filters) }),
    headers: new Map(),
    signal: new AbortController().signal,
    param: () => param,
    json: async () => undefined,
    body: (async function* () {})(),
    hijack: () => Promise.reject(new Error("nothing to take over")),
  };
  const reply = await route.handle(request);
  return reply.kind === "json" ? reply.body : undefined;
}

const lists: [Record<string, string[]>, string[]][] = [
  [{}, ["bridge", "host", "none"]],
  [{ name: ["o"] }, ["host", "none"]],
  [{ name: ["^host$"] }, ["host"]],
  [{ id: ["aaa"] }, ["bridge"]],
  [{ driver: ["null", "host"] }, ["host", "none"]],
  [{ scope: ["local"] }, ["bridge", "host", "none"]],
  [{ scope: ["swarm"] }, []],
  [{ type: ["builtin"] }, ["bridge", "host", "none"]],
  [{ type: ["custom"] }, []],
  [{ label: ["x"] }, []],
  [{ dangling: ["true"] }, []],
  [{ dangling: ["false"] }, ["bridge", "host", "none"]],
];

for (const [filters, want] of lists) {
  test(`${JSON.stringify(filters)} lists ${want.join(", ") || "nothing"}`, async () => {
    expect(await call("GET", "/networks", filters)).toMatchObject(want.map((Name) => ({ Name })));
  });
}

for (const filters of [{ nope: ["x"] }, { type: ["mine"] }, { dangling: ["x"] }]) {
  test(`${JSON.stringify(filters)} is refused`, async () => {
    expect(call("GET", "/networks", filters)).rejects.toThrow(/invalid filter/);
  });
}

test("inspect shows the containers, not the build steps, with their addresses", async () => {
  expect(await call("GET", "/networks/{id}", undefined, "bridge")).toMatchObject({
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

const refused: [method: string, path: string, text: RegExp][] = [
  ["POST", "/networks/create", /user-defined networks are not there yet/],
  ["POST", "/networks/{id}/connect", /user-defined networks are not there yet/],
  ["POST", "/networks/{id}/disconnect", /user-defined networks are not there yet/],
  ["DELETE", "/networks/{id}", /^bridge is a pre-defined network and cannot be removed$/],
];

for (const [method, path, text] of refused) {
  test(`${method} ${path} is refused with its reason`, async () => {
    expect(call(method, path, undefined, "bridge")).rejects.toThrow(text);
  });
}
