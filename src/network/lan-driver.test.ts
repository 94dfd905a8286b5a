import { expect, test } from "bun:test";
import { NetlinkError } from "#linux/netlink/netlink-error.ts";
import type { Link } from "#linux/netlink/route-message.ts";
import { errnoNumber } from "#linux/errno.ts";
import { LanDriver } from "./lan-driver.ts";
import type { LanLinks } from "./lan-driver.ts";
import { lanSettings } from "./lan-settings.ts";
import type { DriverName } from "./network-record.ts";

interface Rig {
  readonly driver: LanDriver;
  /** What was asked of the kernel. */
  readonly calls: unknown[][];
}

/** A driver over a small model of the host's links that knows `kinds` of them. */
function open(
  driver: DriverName,
  options: Record<string, string>,
  kinds = ["macvlan", "ipvlan", "vlan", "dummy"],
): Rig {
  const calls: unknown[][] = [];
  const links = new Map<string, Link>([["eth0", { index: 2, name: "eth0", mtu: 1500, isUp: true }]]);
  const make = (kind: string, name: string): void => {
    if (!kinds.includes(kind)) throw new NetlinkError(`create ${kind} ${name}`, errnoNumber("EOPNOTSUPP"));
    links.set(name, { index: links.size + 2, name, mtu: 1500, isUp: true, kind });
  };
  const netlink: LanLinks = {
    findLink: (name) => links.get(name),
    getLink: (name) => links.get(name) ?? { index: 0, name, mtu: 0, isUp: false },
    setLink: (link, change) => void links.set(link.name, { ...netlink.getLink(link.name), ...change }),
    createUpperLink(link) {
      calls.push([link.upper, link.parentIndex, link.name.replace(/^dp\w+/, "probe"), link.namespace]);
      make(link.upper.kind, link.name);
    },
    createDummy: (name) => make("dummy", name),
    deleteLink(name) {
      calls.push(["delete", name.replace(/^dp\w+/, "probe")]);
      return links.delete(name);
    },
  };
  const settings = lanSettings({ driver, options });
  return { driver: new LanDriver({ netlink, settings, dummy: "dm-1", alias: "darse test" }), calls };
}

const endpoint = { networkId: "n" as never, networkName: "lan", endpointId: "e", interfaceName: "eth0" };

const kinds: [DriverName, Record<string, string>, object][] = [
  ["macvlan", { parent: "eth0" }, { kind: "macvlan", mode: "bridge" }],
  ["macvlan", { parent: "eth0", macvlan_mode: "private" }, { kind: "macvlan", mode: "private" }],
  ["ipvlan", { parent: "eth0" }, { kind: "ipvlan", mode: "l2", flag: "bridge" }],
  [
    "ipvlan",
    { parent: "eth0", ipvlan_mode: "l3", ipvlan_flag: "vepa" },
    { kind: "ipvlan", mode: "l3", flag: "vepa" },
  ],
];
for (const [driver, options, upper] of kinds) {
  test(`${driver} ${JSON.stringify(options)} is found out to work, and gives the namespace a link upon the parent`, () => {
    const rig = open(driver, options);
    rig.driver.prepare();
    expect(rig.calls.splice(0)).toEqual([
      [upper, 2, "probe", undefined],
      ["delete", "probe"],
    ]);
    rig.driver.connect(endpoint, { namespacePath: "/ns", inside: undefined as never, hasPorts: false });
    expect(rig.calls).toEqual([[upper, 2, "eth0", "/ns"]]);
  });
}

test("a VLAN of an interface is made when it is missing, and goes with the network", async () => {
  const rig = open("macvlan", { parent: "eth0.50" });
  rig.driver.prepare();
  expect(rig.calls.splice(0)[0]).toEqual([{ kind: "vlan", id: 50 }, 2, "eth0.50", undefined]);
  await rig.driver.remove();
  expect(rig.calls).toEqual([["delete", "eth0.50"]]);
});

test("an interface that was there stays when the network goes", async () => {
  const rig = open("macvlan", { parent: "eth0" });
  rig.driver.prepare();
  rig.calls.splice(0);
  await rig.driver.remove();
  expect(rig.calls).toEqual([]);
});

test("a network without a parent has a dummy", async () => {
  const rig = open("macvlan", {});
  rig.driver.prepare();
  expect(rig.driver.exists()).toBe(true);
  await rig.driver.remove();
  expect(rig.driver.exists()).toBe(false);
});

for (const [driver, options, kind, config] of [
  ["ipvlan", { parent: "eth0" }, "ipvlan", "CONFIG_IPVLAN"],
  ["macvlan", { parent: "eth0.7" }, "vlan", "CONFIG_VLAN_8021Q"],
  ["macvlan", {}, "dummy", "CONFIG_DUMMY"],
] as const) {
  test(`a kernel without ${kind} is told of, with what it lacks`, () => {
    const rig = open(driver, { ...options }, ["macvlan"]);
    expect(() => rig.driver.prepare()).toThrow(
      expect.objectContaining({
        kind: "unsupported",
        message: expect.stringContaining(
          `Cannot make an interface of kind ${kind}: this kernel does not have it`,
        ),
        hint: expect.stringContaining(config),
      }),
    );
  });
}
