import { afterEach, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needs } from "../../../test/needs.ts";
import { openKernel } from "../real-kernel.ts";
import { Rtnetlink } from "./rtnetlink.ts";

const withRoot = needs("root");
const kernel = openKernel();
const BRIDGE = "dtestnl0";

/** A namespace of its own for each test: whatever is made in it goes with it. */
function inNamespace(work: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "darse-netlink-"));
  const path = join(folder, "ns");
  kernel.createNetworkNamespace(path);
  try {
    work(path);
  } finally {
    kernel.removeNetworkNamespace(path);
    rmSync(folder, { recursive: true });
  }
}

afterEach(() => {
  using host = Rtnetlink.open();
  expect(host.findLink(BRIDGE)).toBeUndefined();
});

withRoot("a socket opened inside a namespace stays there", () => {
  inNamespace((path) => {
    using inside = kernel.inNetworkNamespace(path, () => Rtnetlink.open());
    inside.createBridge({ name: BRIDGE, mtu: 1400, mac: "02:00:00:00:00:01" });
    expect(inside.getLink(BRIDGE)).toMatchObject({
      kind: "bridge",
      mtu: 1400,
      mac: "02:00:00:00:00:01",
      isUp: true,
    });
    using host = Rtnetlink.open();
    expect(host.findLink(BRIDGE)).toBeUndefined();
  });
});

withRoot("a veth pair is a port of the bridge here and has its final name there", () => {
  inNamespace((here) => {
    inNamespace((there) => {
      using near = kernel.inNetworkNamespace(here, () => Rtnetlink.open());
      using far = kernel.inNetworkNamespace(there, () => Rtnetlink.open());
      near.createBridge({ name: BRIDGE, mtu: 1400 });
      const { index } = near.getLink(BRIDGE);
      const peer = { name: "eth0", namespace: there, mac: "02:00:00:00:00:02", transmitQueueLength: 500 };
      near.createVeth({ name: "v0", mtu: 1400, masterIndex: index, isUp: true, peer });
      near.setPort(near.getLink("v0"), { isHairpin: true });
      expect(near.getLink("v0")).toMatchObject({ kind: "veth", masterIndex: index, isUp: true, mtu: 1400 });
      expect(far.getLink("eth0")).toMatchObject({ mac: peer.mac, isUp: false, mtu: 1400 });
    });
  });
});

withRoot("configure() gives addresses and routes, and the dumps show them", () => {
  inNamespace((path) => {
    using netlink = kernel.inNetworkNamespace(path, () => Rtnetlink.open());
    netlink.createVeth({ name: "v0", mtu: 1500, peer: { name: "v1" } });
    netlink.setLink(netlink.getLink("v1"), { isUp: true, name: "w1", mtu: 1400, mac: "02:00:00:00:00:03" });
    expect(netlink.getLink("w1")).toMatchObject({ mtu: 1400, mac: "02:00:00:00:00:03", isUp: true });
    const link = netlink.getLink("v0");
    netlink.configure(link, {
      addresses: [{ address: "10.9.0.2", prefixLength: 24 }],
      routes: [{ gateway: "10.9.0.1" }, { destination: { address: "10.8.0.0", prefixLength: 16 } }],
    });
    const linkIndex = link.index;
    expect(netlink.addresses()).toContainEqual({ linkIndex, address: "10.9.0.2", prefixLength: 24 });
    expect(netlink.routes()).toContainEqual(
      expect.objectContaining({ gateway: "10.9.0.1", linkIndex, prefixLength: 0 }),
    );
    expect(netlink.routes()).toContainEqual(
      expect.objectContaining({ destination: "10.8.0.0", prefixLength: 16 }),
    );
  });
});

withRoot("removeAddress() takes one address away", () => {
  inNamespace((path) => {
    using netlink = kernel.inNetworkNamespace(path, () => Rtnetlink.open());
    const linkIndex = netlink.getLink("lo").index;
    const address = { linkIndex, address: "127.0.0.1", prefixLength: 8 };
    expect(netlink.addresses()).toContainEqual(address);
    netlink.removeAddress(address);
    expect(netlink.addresses()).not.toContainEqual(address);
    expect(() => netlink.removeAddress(address)).toThrow(expect.objectContaining({ code: "EADDRNOTAVAIL" }));
  });
});

withRoot("deleteLink() says whether there was one", () => {
  inNamespace((path) => {
    using netlink = kernel.inNetworkNamespace(path, () => Rtnetlink.open());
    netlink.createBridge({ name: BRIDGE, mtu: 1400 });
    expect(netlink.deleteLink(BRIDGE)).toBe(true);
    expect(netlink.deleteLink(BRIDGE)).toBe(false);
  });
});

withRoot("deleteLinkInBackground() says whether there was one", async () => {
  using host = Rtnetlink.open();
  host.createBridge({ name: BRIDGE, mtu: 1400 });
  expect(await Rtnetlink.deleteLinkInBackground(BRIDGE)).toBe(true);
  expect(await Rtnetlink.deleteLinkInBackground(BRIDGE)).toBe(false);
});

withRoot("an error names operation and device, and carries errno or the kernel's text", () => {
  inNamespace((path) => {
    using netlink = kernel.inNetworkNamespace(path, () => Rtnetlink.open());
    netlink.createBridge({ name: BRIDGE, mtu: 1400 });
    const link = netlink.getLink(BRIDGE);
    expect(() => netlink.createBridge({ name: BRIDGE, mtu: 1400 })).toThrow(
      expect.objectContaining({
        code: "EEXIST",
        message: expect.stringContaining(`Cannot create bridge ${BRIDGE}: `),
      }),
    );
    expect(() => netlink.addRoute(link, { gateway: "203.0.113.1" })).toThrow(
      `Cannot add route default through ${BRIDGE}: Nexthop has invalid gateway`,
    );
    expect(() => netlink.getLink("missing0")).toThrow(expect.objectContaining({ code: "ENODEV" }));
  });
});

withRoot("a name the kernel would cut is refused", () => {
  inNamespace((path) => {
    using netlink = kernel.inNetworkNamespace(path, () => Rtnetlink.open());
    for (const name of ["sixteen-letters-", "a b", "a/b", "..", ""]) {
      expect(() => netlink.createBridge({ name, mtu: 1400 })).toThrow("not an interface name");
    }
  });
});

withRoot("a dump of many links is whole", () => {
  inNamespace((path) => {
    using netlink = kernel.inNetworkNamespace(path, () => Rtnetlink.open());
    for (let i = 0; i < 60; i++) netlink.createVeth({ name: `v${i}`, mtu: 1500, peer: { name: `w${i}` } });
    const names = new Set(netlink.links().map((link) => link.name));
    for (let i = 0; i < 60; i++) expect(names.has(`v${i}`) && names.has(`w${i}`)).toBe(true);
  });
});
