import { expect, test } from "bun:test";
import { fakeWorld, runInWorld } from "../_testing/fake-context.ts";
import { FakeEngine } from "../_testing/fake-engine.ts";
import { connectNetwork } from "./network-connect.ts";
import { createNetwork } from "./network-create.ts";
import { disconnectNetwork } from "./network-disconnect.ts";
import { pruneNetworks } from "./network-prune.ts";
import { removeNetworks } from "./network-rm.ts";

function sent(engine: FakeEngine): unknown {
  return JSON.parse(String(engine.seen.at(-1)?.body));
}

test("network create sends what was asked for, and prints the id", async () => {
  await using engine = await FakeEngine.open({
    "POST /networks/create": () => ({ status: 201, json: { Id: "n1", Warning: "mind the gap" } }),
  });
  const world = fakeWorld(engine.client);
  const argv = "--subnet 10.1.0.0/16 --gateway 10.1.0.1 --aux-address a=10.1.0.9 -o k=v --label l --ipv6 web";
  expect(await runInWorld(createNetwork, argv.split(" "), world)).toBe(0);
  expect(world.out.text).toBe("n1\n");
  expect(world.error.text).toBe("WARNING: mind the gap\n");
  expect(sent(engine)).toEqual({
    Name: "web",
    Driver: "bridge",
    Scope: "",
    EnableIPv6: true,
    IPAM: {
      Driver: "default",
      Options: {},
      Config: [{ Subnet: "10.1.0.0/16", Gateway: "10.1.0.1", AuxiliaryAddresses: { a: "10.1.0.9" } }],
    },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigOnly: false,
    Options: { k: "v" },
    Labels: { l: "" },
  });
});

test("network connect sends addresses, aliases and options of the endpoint", async () => {
  await using engine = await FakeEngine.open({ "POST /networks/web/connect": () => ({}) });
  const argv =
    "--ip 10.1.0.4 --alias a,b --link db:data --driver-opt k=v --gw-priority -3 --link-local-ip fe80::9 web c1";
  expect(await runInWorld(connectNetwork, argv.split(" "), fakeWorld(engine.client))).toBe(0);
  expect(sent(engine)).toEqual({
    Container: "c1",
    EndpointConfig: {
      IPAMConfig: { IPv4Address: "10.1.0.4", LinkLocalIPs: ["fe80::9"] },
      Links: ["db:data"],
      Aliases: ["a", "b"],
      DriverOpts: { k: "v" },
      GwPriority: -3,
    },
  });
});

const refused: [string, string][] = [
  ["--ip x web c", "invalid string being converted to IP address: x"],
  ["--driver-opt k web c", "invalid key/value pair format in driver options"],
  ["--link a:b:c web c", "bad format for links: a:b:c"],
];
for (const [argv, message] of refused) {
  test(`network connect ${argv} is refused before it is sent`, async () => {
    await using engine = await FakeEngine.open({});
    const calling = runInWorld(connectNetwork, argv.split(" "), fakeWorld(engine.client));
    expect(calling).rejects.toThrow(message);
    await calling.catch(() => undefined);
    expect(engine.calls).toEqual([]);
  });
}

test("network disconnect names the container, --force goes along", async () => {
  await using engine = await FakeEngine.open({ "POST /networks/web/disconnect": () => ({}) });
  await runInWorld(disconnectNetwork, ["-f", "web", "c1"], fakeWorld(engine.client));
  expect(sent(engine)).toEqual({ Container: "c1", Force: true });
});

test("network rm goes on after a failure; --force is silent about what is not there", async () => {
  await using engine = await FakeEngine.open({
    "DELETE /networks/a": () => ({ status: 204 }),
    "DELETE /networks/b": () => ({ status: 404, json: { message: "network b not found" } }),
    "DELETE /networks/c": () => ({ status: 409, json: { message: "network c has active endpoints" } }),
  });
  const world = fakeWorld(engine.client);
  expect(await runInWorld(removeNetworks, ["b", "a"], world)).toBe(1);
  expect([world.out.text, world.error.text]).toEqual([
    "a\n",
    "Error response from daemon: network b not found\n",
  ]);
  const other = fakeWorld(engine.client);
  expect(await runInWorld(removeNetworks, ["-f", "b", "c"], other)).toBe(1);
  expect(other.error.text).toBe("Error response from daemon: network c has active endpoints\n");
});

test("network prune asks first, and lists what is gone", async () => {
  await using engine = await FakeEngine.open({
    "POST /networks/prune": () => ({ json: { NetworksDeleted: ["a", "b"] } }),
  });
  const no = fakeWorld(engine.client, "n\n");
  expect(await runInWorld(pruneNetworks, [], no)).toBe(0);
  expect(engine.calls).toEqual([]);
  const yes = fakeWorld(engine.client, "y\n");
  await runInWorld(pruneNetworks, ["--filter", "until=1h"], yes);
  expect(yes.out.text).toBe(
    "WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue? [y/N] Deleted Networks:\na\nb\n\n",
  );
  expect(engine.seen[0]?.query.get("filters")).toBe('{"until":["1h"]}');
});
