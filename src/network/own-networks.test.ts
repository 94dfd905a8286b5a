import { expect } from "bun:test";
import { hasTable } from "#linux/firewall.ts";
import { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import { needs } from "../../test/needs.ts";
import { BRIDGE, CABLE, HOST_ADDRESS, LAN, Laboratory, PEER_ADDRESS } from "./_laboratory.ts";
import type { NetworkRequest } from "./network-request.ts";
import type { Sandbox } from "./sandbox.ts";

const withKernel = needs("root", "nft");

function path(sandbox: Sandbox): string {
  return sandbox.namespacePath ?? "no namespace";
}

function addressIn(sandbox: Sandbox, network: string, family: "ipv4" | "ipv6" = "ipv4"): string {
  return sandbox.endpoints.find(({ networkName }) => networkName === network)?.[family] ?? "no address";
}

/** Networks, and a container in each, named alike; all of them answer on TCP port 80. */
async function inhabited(laboratory: Laboratory, ...requests: NetworkRequest[]): Promise<Sandbox[]> {
  const sandboxes: Sandbox[] = [];
  for (const request of requests) {
    await laboratory.manager.create(request);
    const networks = [{ network: request.name }];
    const sandbox = await laboratory.attach(`in-${request.name}`, { name: `in-${request.name}`, networks });
    await laboratory.serve(path(sandbox), "tcp", 80, request.hasIpv6 ? "::" : "0.0.0.0");
    sandboxes.push(sandbox);
  }
  return sandboxes;
}

withKernel(
  "a network has a bridge of its own, with its gateway, from its creation to its removal",
  async () => {
    await using laboratory = new Laboratory();
    const { id, pools } = await laboratory.manager.create({
      name: "shop",
      options: { "com.docker.network.driver.mtu": "1300" },
    });
    using host = Rtnetlink.open();
    const link = host.getLink(`br-${id.slice(0, 12)}`);
    expect(link).toMatchObject({
      kind: "bridge",
      isUp: true,
      mtu: 1300,
      alias: `darse ${BRIDGE} ${id.slice(0, 12)}`,
    });
    expect(host.addresses().find((one) => one.linkIndex === link.index)?.address).toBe(
      pools[0]?.gateway ?? "",
    );
    await laboratory.manager.remove("shop");
    expect(host.findLink(link.name)).toBeUndefined();
    expect(() => laboratory.manager.get("shop")).toThrow("network shop not found");
  },
);

withKernel("containers of different networks do not reach each other, those of one do", async () => {
  await using laboratory = new Laboratory();
  const [left, right] = await inhabited(laboratory, { name: "left" }, { name: "right" });
  if (!left || !right) throw new Error("two networks were made");
  const other = await laboratory.attach("other", { networks: [{ network: "left" }] });
  expect(await laboratory.ask(path(other), "tcp", addressIn(left, "left"), 80)).toBe(
    addressIn(other, "left"),
  );
  expect(await laboratory.ask(path(other), "tcp", addressIn(right, "right"), 80)).toBe("silence");
  expect(await laboratory.ask(laboratory.peer, "tcp", addressIn(left, "left"), 80)).toBe("silence");
});

withKernel("from an internal network nothing leaves, and nothing comes in, whatever routes say", async () => {
  await using laboratory = new Laboratory();
  const [inner, outer] = await inhabited(laboratory, { name: "inner", isInternal: true }, { name: "outer" });
  if (!inner || !outer) throw new Error("two networks were made");
  await laboratory.serve(laboratory.peer, "tcp", 80);
  expect(inner.endpoints[0]?.gateway).toBeUndefined();
  using inside = laboratory.inside(path(inner));
  expect(inside.routes().some((one) => one.destination === undefined && one.isUnicast)).toBe(false);
  const gateway = laboratory.manager.get("inner").pools[0]?.gateway ?? "";
  inside.addRoute(inside.getLink("eth0"), { gateway });
  const neighbour = await laboratory.attach("neighbour", { networks: [{ network: "inner" }] });
  expect(await laboratory.ask(path(neighbour), "tcp", addressIn(inner, "inner"), 80)).toBe(
    addressIn(neighbour, "inner"),
  );
  for (const address of [PEER_ADDRESS, addressIn(outer, "outer")]) {
    expect(await laboratory.ask(path(inner), "tcp", address, 80)).toBe("silence");
  }
  expect(await laboratory.ask(path(outer), "tcp", addressIn(inner, "inner"), 80)).toBe("silence");
  expect(await laboratory.ask(laboratory.peer, "tcp", addressIn(inner, "inner"), 80)).toBe("silence");
});

withKernel(
  "with ICC off containers of a network reach the outside, and not each other, by no way round",
  async () => {
    await using laboratory = new Laboratory();
    const options = { "com.docker.network.bridge.enable_icc": "false" };
    const [one] = await inhabited(laboratory, { name: "apart", options });
    if (!one) throw new Error("a network was made");
    const ports = [{ containerPort: 80, protocol: "tcp", hostPort: 41210 }] as const;
    const server = await laboratory.attach("server", { networks: [{ network: "apart" }], ports });
    await laboratory.serve(path(server), "tcp", 80);
    await laboratory.serve(laboratory.peer, "tcp", 80);
    expect(await laboratory.ask(path(one), "tcp", addressIn(server, "apart"), 80)).not.toBe(
      addressIn(one, "apart"),
    );
    expect(await laboratory.ask(path(one), "tcp", PEER_ADDRESS, 80)).toBe(HOST_ADDRESS);
    expect(await laboratory.ask(path(one), "tcp", HOST_ADDRESS, 41210)).toBe("silence");
    // By way of the host is no way round.
    using inside = laboratory.inside(path(one));
    inside.addRoute(inside.getLink("eth0"), {
      destination: { address: addressIn(server, "apart"), prefixLength: 32 },
      gateway: one.endpoints[0]?.gateway ?? "",
    });
    expect(await laboratory.ask(path(one), "tcp", addressIn(server, "apart"), 80)).toBe("silence");
  },
);

withKernel("a network may say where ports are published that name no address", async () => {
  await using laboratory = new Laboratory();
  const options = { "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1" };
  await laboratory.manager.create({ name: "near", options });
  const ports = [
    { containerPort: 80, protocol: "tcp" },
    { containerPort: 81, protocol: "tcp", hostIp: HOST_ADDRESS },
  ] as const;
  const { ports: bindings } = await laboratory.attach("one", { networks: [{ network: "near" }], ports });
  expect(bindings.map(({ hostIp }) => hostIp)).toEqual(["127.0.0.1", HOST_ADDRESS]);
});

withKernel("a network of both families gives addresses and ways out in both", async () => {
  await using laboratory = new Laboratory();
  const [one] = await inhabited(laboratory, { name: "dual", hasIpv6: true });
  if (!one) throw new Error("a network was made");
  const other = await laboratory.attach("other", { networks: [{ network: "dual" }] });
  expect(one.endpoints[0]?.ipv6).toMatch(/^fd/);
  expect(one.endpoints[0]?.ipv6Prefix).toBe(64);
  expect(await laboratory.ask(path(other), "tcp", addressIn(one, "dual", "ipv6"), 80)).toBe(
    addressIn(other, "dual", "ipv6"),
  );
  using inside = laboratory.inside(path(other));
  const ways = inside.routes().filter((route) => route.destination === undefined && route.isUnicast);
  expect(ways.map(({ family, gateway }) => [family, gateway])).toEqual([
    ["ipv4", other.endpoints[0]?.gateway],
    ["ipv6", other.endpoints[0]?.ipv6Gateway],
  ]);
});

withKernel("a network without IPv4 has none", async () => {
  await using laboratory = new Laboratory();
  const [one] = await inhabited(laboratory, { name: "six", hasIpv4: false, hasIpv6: true });
  if (!one) throw new Error("a network was made");
  expect(one.endpoints[0]?.ipv4).toBeUndefined();
  using inside = laboratory.inside(path(one));
  const { index } = inside.getLink("eth0");
  const mine = inside.addresses().filter(({ linkIndex }) => linkIndex === index);
  expect(mine.every(({ address }) => address.includes(":"))).toBe(true);
});

withKernel(
  "a container in several networks has an interface in each; the way out is that of the highest priority",
  async () => {
    await using laboratory = new Laboratory();
    for (const name of ["alpha", "beta"]) await laboratory.manager.create({ name });
    await laboratory.manager.create({ name: "closed", isInternal: true });
    const sandbox = await laboratory.attach("one", {
      networks: [{ network: "closed" }, { network: "beta" }, { network: "alpha" }],
    });
    using inside = laboratory.inside(path(sandbox));
    const out = (): string | undefined =>
      inside.routes().find((one) => one.destination === undefined && one.isUnicast)?.gateway;
    const gatewayOf = (name: string): string | undefined => laboratory.manager.get(name).pools[0]?.gateway;
    expect(sandbox.endpoints.map(({ networkName, interfaceName }) => [networkName, interfaceName])).toEqual([
      ["closed", "eth0"],
      ["beta", "eth1"],
      ["alpha", "eth2"],
    ]);
    expect(out()).toBe(gatewayOf("alpha"));
    await laboratory.manager.disconnect("one", "alpha");
    expect(out()).toBe(gatewayOf("beta"));
    expect(inside.findLink("eth2")).toBeUndefined();
    await laboratory.manager.connect("one", { network: "alpha", gatewayPriority: -1 });
    expect(out()).toBe(gatewayOf("beta"));
    await laboratory.manager.connect("one", { network: "bridge", gatewayPriority: 5 });
    expect(out()).toBe(gatewayOf("bridge"));
    expect(inside.findLink("eth3")).toBeDefined();
  },
);

withKernel("published ports follow the way out from one network to another", async () => {
  await using laboratory = new Laboratory();
  for (const name of ["alpha", "beta"]) await laboratory.manager.create({ name });
  const ports = [{ containerPort: 80, protocol: "tcp", hostPort: 41220 }] as const;
  const sandbox = await laboratory.attach("one", { networks: [{ network: "alpha" }], ports });
  await laboratory.serve(path(sandbox), "tcp", 80);
  expect(await laboratory.ask(laboratory.peer, "tcp", HOST_ADDRESS, 41220)).toBe(PEER_ADDRESS);
  await laboratory.manager.connect("one", { network: "beta" });
  await laboratory.manager.disconnect("one", "alpha");
  expect(await laboratory.ask(laboratory.peer, "tcp", HOST_ADDRESS, 41220)).toBe(PEER_ADDRESS);
});

withKernel("a fixed address, MAC, name and setting of an interface are as they were asked for", async () => {
  await using laboratory = new Laboratory();
  const { pools } = await laboratory.manager.create({ name: "shop", hasIpv6: true });
  const base = (pools[0]?.subnet ?? "").replace(/\.0\/24$/, "");
  const ipv6 = (pools[1]?.subnet ?? "").replace("/64", "99");
  const sandbox = await laboratory.attach("one", {
    networks: [
      {
        network: "shop",
        ipv4: `${base}.77`,
        ipv6,
        linkLocal: ["169.254.7.7"],
        mac: "02:42:00:00:00:09",
        options: {
          "com.docker.network.endpoint.ifname": "lan0",
          "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1",
        },
      },
    ],
  });
  using inside = laboratory.inside(path(sandbox));
  const link = inside.getLink("lan0");
  expect(link.mac).toBe("02:42:00:00:00:09");
  const addresses = inside.addresses().filter(({ linkIndex }) => linkIndex === link.index);
  expect(addresses.map(({ address }) => address)).toEqual(
    expect.arrayContaining([`${base}.77`, "169.254.7.7", ipv6]),
  );
  laboratory.kernel.inNetworkNamespace(path(sandbox), () => {
    expect(laboratory.kernel.readSysctl("net.ipv4.conf.lan0.log_martians")).toBe("1");
  });
  const second = laboratory.attach("two", { networks: [{ network: "shop", ipv4: `${base}.77` }] });
  await expect(second).rejects.toMatchObject({
    kind: "forbidden",
    message: expect.stringMatching(/^Address already in use/),
    hint: expect.stringContaining("container one has"),
  });
});

withKernel(
  "a network with a container in it, or on the way, is not removed, and the holder is named",
  async () => {
    await using laboratory = new Laboratory();
    await laboratory.manager.create({ name: "shop" });
    await laboratory.attach("before");
    const arriving = laboratory.attach("one", { name: "web", networks: [{ network: "shop" }] });
    for (const moment of [laboratory.turn(), arriving]) {
      await moment;
      await expect(laboratory.manager.remove("shop")).rejects.toMatchObject({
        kind: "forbidden",
        message: expect.stringMatching(/network shop has active endpoints \(name:"web" id:"[0-9a-f]{12}"\)/),
      });
    }
    await laboratory.manager.detach("one");
    await laboratory.manager.remove("shop");
  },
);

withKernel("a network that can not be made leaves nothing behind", async () => {
  await using laboratory = new Laboratory();
  using host = Rtnetlink.open();
  const before = host.links().map(({ name }) => name);
  const options = { "com.docker.network.bridge.name": "lo" };
  await expect(laboratory.manager.create({ name: "shop", options })).rejects.toMatchObject({
    kind: "conflict",
  });
  expect(laboratory.manager.list().map(({ name }) => name)).toEqual(["bridge", "host", "none"]);
  expect(
    host
      .links()
      .map(({ name }) => name)
      .filter((name) => name.startsWith("br-") && !before.includes(name)),
  ).toEqual([]);
});

withKernel("a bridge that was there before is used, and stays when the network goes", async () => {
  await using laboratory = new Laboratory();
  using host = Rtnetlink.open();
  host.createBridge({ name: "dtesthost0", mtu: 1400 });
  try {
    await laboratory.manager.create({
      name: "shop",
      options: { "com.docker.network.bridge.name": "dtesthost0" },
    });
    await laboratory.attach("one", { networks: [{ network: "shop" }] });
    await laboratory.manager.detach("one");
    await laboratory.manager.remove("shop");
    expect(host.findLink("dtesthost0")).toBeDefined();
  } finally {
    host.deleteLink("dtesthost0");
  }
});

withKernel(
  "networks stay through the end of an engine; bridges of networks that are gone do not",
  async () => {
    await using laboratory = new Laboratory();
    const [one] = await inhabited(laboratory, { name: "shop" });
    const { id: lost } = await laboratory.manager.create({ name: "lost" });
    await laboratory.attach("astray", { name: "astray", networks: [{ network: "lost" }] });
    await laboratory.manager.close();
    laboratory.database.documents("networks").remove(lost);

    laboratory.manager = laboratory.openManager();
    await laboratory.manager.recover(new Set(["in-shop"]));
    using host = Rtnetlink.open();
    expect(host.findLink(`br-${lost.slice(0, 12)}`)).toBeUndefined();
    const other = await laboratory.attach("other", { networks: [{ network: "shop" }] });
    expect(addressIn(other, "shop")).not.toBe(addressIn(one ?? other, "nothing"));
    expect(await laboratory.ask(path(other), "tcp", addressIn(one ?? other, "shop"), 80)).toBe(
      addressIn(other, "shop"),
    );
    await expect(laboratory.manager.remove("shop")).rejects.toThrow("has active endpoints");
    await laboratory.manager.recover(new Set());
    await laboratory.manager.teardownIfIdle();
    expect(hasTable(BRIDGE)).toBe(false);
    expect(host.links().filter(({ alias }) => alias?.startsWith(`darse ${BRIDGE} `))).toEqual([]);
    expect(laboratory.manager.get("shop").name).toBe("shop");
  },
);

withKernel("a bridge of one network that somebody removed is made again, with its rules", async () => {
  await using laboratory = new Laboratory();
  const { id } = await laboratory.manager.create({ name: "shop" });
  await Rtnetlink.deleteLinkInBackground(`br-${id.slice(0, 12)}`);
  const sandbox = await laboratory.attach("one", { networks: [{ network: "shop" }] });
  await laboratory.serve(laboratory.peer, "tcp", 80);
  expect(await laboratory.ask(path(sandbox), "tcp", PEER_ADDRESS, 80)).toBe(HOST_ADDRESS);
});

withKernel(
  "a routed network opens published ports at the container's own address, and no others",
  async () => {
    await using laboratory = new Laboratory();
    const options = { "com.docker.network.bridge.gateway_mode_ipv4": "routed" };
    await laboratory.manager.create({ name: "lan", options });
    const ports = [{ containerPort: 80, protocol: "tcp", hostPort: 41230 }] as const;
    const sandbox = await laboratory.attach("one", { networks: [{ network: "lan" }], ports });
    await laboratory.serve(path(sandbox), "tcp", 80);
    await laboratory.serve(path(sandbox), "tcp", 81);
    const address = addressIn(sandbox, "lan");
    expect(await laboratory.ask(laboratory.peer, "tcp", address, 80)).toBe(PEER_ADDRESS);
    expect(await laboratory.ask(laboratory.peer, "tcp", address, 81)).toBe("silence");
  },
);

withKernel("a macvlan network makes containers stations of the parent's LAN", async () => {
  await using laboratory = new Laboratory();
  const pools = [{ subnet: `${LAN}.0/24`, gateway: PEER_ADDRESS, range: `${LAN}.64/26` }];
  await laboratory.manager.create({
    name: "lan",
    driver: "macvlan",
    pools,
    options: { parent: CABLE },
  });
  const sandbox = await laboratory.attach("one", { networks: [{ network: "lan" }] });
  await laboratory.serve(laboratory.peer, "tcp", 80);
  expect(addressIn(sandbox, "lan")).toBe(`${LAN}.64`);
  expect(await laboratory.ask(path(sandbox), "tcp", PEER_ADDRESS, 80)).toBe(`${LAN}.64`);
  await laboratory.manager.connect("one", { network: "bridge" });
  await laboratory.manager.disconnect("one", "lan");
  using inside = laboratory.inside(path(sandbox));
  expect(inside.findLink("eth0")).toBeUndefined();
  await laboratory.manager.remove("lan");
});

for (const [what, request, message] of [
  [
    "a parent that is not there",
    { driver: "macvlan", options: { parent: "nope0" } },
    /there is no interface nope0/,
  ],
  [
    "a kind of link the kernel lacks",
    { driver: "ipvlan", options: { parent: "lo0" } },
    /no interface lo0|ipvlan/,
  ],
] as const) {
  withKernel(`${what} is named, and nothing is left`, async () => {
    await using laboratory = new Laboratory();
    await expect(laboratory.manager.create({ name: "lan", ...request })).rejects.toThrow(message);
    expect(laboratory.manager.list()).toHaveLength(3);
  });
}

withKernel(
  "containers that come and go are told of, with what the network is; build steps are not",
  async () => {
    await using laboratory = new Laboratory();
    await laboratory.manager.create({ name: "shop" });
    const container = "one";
    await laboratory.attach(container, { name: "web", networks: [{ network: "shop" }] });
    await laboratory.manager.connect(container, { network: "bridge" });
    await laboratory.manager.disconnect(container, "shop");
    await laboratory.manager.detach(container);
    await laboratory.attach("step");
    await laboratory.manager.remove("shop");
    const seen = laboratory.events.map(({ action, attributes }) => [action, attributes]);
    expect(seen).toEqual([
      ["create", { name: "shop", type: "bridge" }],
      ["connect", { container, name: "shop", type: "bridge" }],
      ["connect", { container, name: "bridge", type: "bridge" }],
      ["disconnect", { container, name: "shop", type: "bridge" }],
      ["disconnect", { container, name: "bridge", type: "bridge" }],
      ["destroy", { name: "shop", type: "bridge" }],
    ]);
  },
);
