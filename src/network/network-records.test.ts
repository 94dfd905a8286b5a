import { expect, test } from "bun:test";
import { memoryDatabase } from "./_memory-database.ts";
import { NetworkRecords } from "./network-records.ts";
import type { BridgeChoice } from "./network-records.ts";
import { parseSubnet } from "./subnet.ts";

const choice: BridgeChoice = {
  name: "darse0",
  mtu: 1400,
  pools: ["172.17.0.0/16", "172.18.0.0/16"].map(parseSubnet),
  taken: [],
  isBusy: false,
};

function open(change: Partial<BridgeChoice> = {}, database = memoryDatabase()): NetworkRecords {
  return new NetworkRecords(database.documents("networks"), { ...choice, ...change }, () => 1000);
}

function bridgeOf(records: NetworkRecords): string | undefined {
  return records.get("bridge").pools[0]?.subnet;
}

test("an engine has the networks bridge, host and none", () => {
  const networks = open().list();
  expect(networks.map(({ name, driver }) => [name, driver])).toEqual([
    ["bridge", "bridge"],
    ["host", "host"],
    ["none", "null"],
  ]);
  expect(networks[0]).toMatchObject({
    created: 1000,
    pools: [{ subnet: "172.17.0.0/16", gateway: "172.17.0.1", auxiliary: {} }],
    options: { "com.docker.network.bridge.name": "darse0", "com.docker.network.driver.mtu": "1400" },
  });
});

test("ids and subnet stay from one start to the next", () => {
  const database = memoryDatabase();
  const taken = [{ subnet: parseSubnet("172.17.0.0/16"), holder: "vpn" }];
  const first = open({ taken }, database);
  const second = open({}, database);
  expect(second.list()).toEqual(first.list());
  expect(bridgeOf(second)).toBe("172.18.0.0/16");
});

test("a subnet that the host uses now is given up while nobody is attached", () => {
  const database = memoryDatabase();
  open({}, database);
  const taken = [{ subnet: parseSubnet("172.17.0.0/24"), holder: "vpn" }];
  expect(bridgeOf(open({ taken, isBusy: true }, database))).toBe("172.17.0.0/16");
  expect(bridgeOf(open({ taken }, database))).toBe("172.18.0.0/16");
});

test("the last address is kept", () => {
  const database = memoryDatabase();
  const records = open({}, database);
  records.setLastAddress(records.get("bridge").id, "172.17.0.0/16", "172.17.0.9");
  expect(open({}, database).get("bridge").lastAddresses).toEqual({ "172.17.0.0/16": "172.17.0.9" });
});

test("get() takes a name, an id and the unique start of an id", () => {
  const records = open();
  const bridge = records.get("bridge");
  expect(records.get(bridge.id)).toEqual(bridge);
  expect(records.get(bridge.id.slice(0, 40))).toEqual(bridge);
});

for (const name of ["nope", ""]) {
  test(`get(${JSON.stringify(name)}) is not found, in Docker's words`, () => {
    expect(() => open().get(name)).toThrow(
      expect.objectContaining({ kind: "not-found", message: `network ${name} not found` }),
    );
  });
}
