import { afterAll, beforeAll, describe, expect } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { countRules } from "#linux/firewall.ts";
import { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import { run } from "#linux/process.ts";
import { needs } from "../../test/needs.ts";
import { BRIDGE, CABLE, HOST_ADDRESS, INSIDE, Laboratory, PEER_ADDRESS } from "./_laboratory.ts";
import type { Sandbox } from "./sandbox.ts";

const withKernel = needs("root", "nft");

/** What of ours is in the kernel. */
async function traces(): Promise<string[]> {
  using host = Rtnetlink.open();
  const links = host.links().filter((link) => [BRIDGE, CABLE].includes(link.name));
  const { stdout } = await run(["nft", "list", "tables"]);
  const tables = new TextDecoder()
    .decode(stdout)
    .split("\n")
    .filter((line) => line.includes(BRIDGE));
  return [...links.map((link) => link.name), ...tables];
}

function path(sandbox: Sandbox): string {
  return sandbox.namespacePath ?? "no namespace";
}

withKernel("an engine that only opens and closes changes nothing", async () => {
  const before = await traces();
  const laboratory = new Laboratory();
  await laboratory.manager.recover(new Set());
  using host = Rtnetlink.open();
  expect(host.findLink(BRIDGE)).toBeUndefined();
  await laboratory[Symbol.asyncDispose]();
  expect(await traces()).toEqual(before);
});

withKernel("the interface is up with address, route, MTU and MAC; there is no IPv6 on it", async () => {
  await using laboratory = new Laboratory();
  const sandbox = await laboratory.attach("one", {
    networks: [{ network: "bridge", mac: "02:42:00:00:00:07" }],
  });
  expect(sandbox.endpoints).toMatchObject([
    {
      networkName: "bridge",
      ipv4: `${INSIDE}.2`,
      prefix: 24,
      gateway: `${INSIDE}.1`,
      mac: "02:42:00:00:00:07",
    },
  ]);
  using inside = laboratory.inside(path(sandbox));
  using host = Rtnetlink.open();
  const link = inside.getLink("eth0");
  expect(link).toMatchObject({ isUp: true, mac: "02:42:00:00:00:07", mtu: host.getLink(BRIDGE).mtu });
  expect(
    inside
      .addresses()
      .filter((one) => one.linkIndex === link.index)
      .map((one) => one.address),
  ).toEqual([`${INSIDE}.2`]);
  expect(
    inside
      .addresses()
      .filter((one) => one.address.includes(":"))
      .map((one) => one.address),
  ).toEqual(["::1"]);
  expect(inside.routes().filter((one) => one.family === "ipv6" && one.linkIndex === link.index)).toEqual([]);
  expect(inside.routes()).toContainEqual(
    expect.objectContaining({ gateway: `${INSIDE}.1`, prefixLength: 0 }),
  );
  expect(
    laboratory.kernel.inNetworkNamespace(path(sandbox), () => [
      laboratory.kernel.readSysctl("net.ipv6.conf.eth0.disable_ipv6"),
      laboratory.kernel.readSysctl("net.ipv6.conf.eth0.accept_ra"),
    ]),
  ).toEqual(["1", "0"]);
});

withKernel("addresses rise, and one released is not used again at once", async () => {
  await using laboratory = new Laboratory();
  const addresses: (string | undefined)[] = [];
  for (const id of ["one", "two"]) addresses.push((await laboratory.attach(id)).endpoints[0]?.ipv4);
  await laboratory.manager.detach("two");
  addresses.push((await laboratory.attach("three")).endpoints[0]?.ipv4);
  expect(addresses).toEqual([`${INSIDE}.2`, `${INSIDE}.3`, `${INSIDE}.4`]);
});

describe("published ports", () => {
  const PORTS = { tcp: 41001, udp: 41002, loopback: 41003, hidden: 41004 };
  let laboratory: Laboratory;
  let container = "";
  let neighbour = "";

  beforeAll(async () => {
    if (process.getuid?.() !== 0) return;
    laboratory = new Laboratory();
    const sandbox = await laboratory.attach("web", {
      ports: [
        { containerPort: 80, protocol: "tcp", hostPort: PORTS.tcp },
        { containerPort: 80, protocol: "udp", hostPort: PORTS.udp },
        { containerPort: 80, protocol: "tcp", hostIp: "127.0.0.1", hostPort: PORTS.loopback },
      ],
    });
    container = path(sandbox);
    neighbour = path(await laboratory.attach("neighbour"));
    await Promise.all([
      laboratory.serve(container, "tcp", 80),
      laboratory.serve(container, "udp", 80),
      laboratory.serve(undefined, "tcp", PORTS.hidden, "127.0.0.1"),
      laboratory.serve(laboratory.peer, "tcp", 80),
    ]);
  });

  afterAll(async () => {
    await laboratory?.[Symbol.asyncDispose]();
  });

  const GATEWAY = `${INSIDE}.1`;
  const CONTAINER = `${INSIDE}.2`;
  type Place = "peer" | "host" | "container" | "neighbour";
  const REACHED: [string, Place, "tcp" | "udp", string, number, string][] = [
    ["a peer, with its own address", "peer", "tcp", HOST_ADDRESS, PORTS.tcp, PEER_ADDRESS],
    ["a peer, with its own address", "peer", "udp", HOST_ADDRESS, PORTS.udp, PEER_ADDRESS],
    ["the host, by an address of it", "host", "tcp", HOST_ADDRESS, PORTS.tcp, HOST_ADDRESS],
    ["the host, by an address of it", "host", "udp", HOST_ADDRESS, PORTS.udp, HOST_ADDRESS],
    ["the host, by loopback", "host", "tcp", "127.0.0.1", PORTS.tcp, GATEWAY],
    ["the host, by loopback", "host", "udp", "127.0.0.1", PORTS.udp, GATEWAY],
    ["the host, by IPv6 loopback", "host", "tcp", "::1", PORTS.tcp, GATEWAY],
    ["the host, by IPv6 loopback", "host", "udp", "::1", PORTS.udp, GATEWAY],
    [
      "the host, by loopback, when it is published there",
      "host",
      "tcp",
      "127.0.0.1",
      PORTS.loopback,
      GATEWAY,
    ],
    ["the container itself, by the host's address", "container", "tcp", HOST_ADDRESS, PORTS.tcp, GATEWAY],
    ["the container itself, by the host's address", "container", "udp", HOST_ADDRESS, PORTS.udp, GATEWAY],
    ["another container, by the host's address", "neighbour", "tcp", HOST_ADDRESS, PORTS.tcp, GATEWAY],
    ["another container, by the gateway", "neighbour", "tcp", GATEWAY, PORTS.tcp, GATEWAY],
    ["another container, directly", "neighbour", "tcp", CONTAINER, 80, `${INSIDE}.3`],
  ];

  const namespaceOf = (place: Place): string | undefined =>
    ({ peer: laboratory.peer, host: undefined, container, neighbour })[place];

  for (const [name, place, protocol, address, port, answer] of REACHED) {
    withKernel(`${protocol} is reached from ${name}`, async () => {
      expect(await laboratory.ask(namespaceOf(place), protocol, address, port)).toBe(answer);
    });
  }

  withKernel("containers reach the outside behind the host's address", async () => {
    expect(await laboratory.ask(neighbour, "tcp", PEER_ADDRESS, 80)).toBe(HOST_ADDRESS);
  });

  withKernel("a port published on loopback does not answer a peer", async () => {
    expect(await laboratory.ask(laboratory.peer, "tcp", HOST_ADDRESS, PORTS.loopback)).toBe("ECONNREFUSED");
  });

  withKernel("a port that is not published does not answer a peer that routes through the host", async () => {
    expect(await laboratory.ask(laboratory.peer, "tcp", CONTAINER, 80)).toBe("silence");
  });

  withKernel(
    "a peer or a container that sends to 127.0.0.1 reaches neither published ports nor programs of the host",
    async () => {
      laboratory.trustCable();
      laboratory.sendLoopbackOut(laboratory.peer, HOST_ADDRESS);
      laboratory.sendLoopbackOut(neighbour, GATEWAY);
      expect(await laboratory.ask(undefined, "tcp", "127.0.0.1", PORTS.hidden)).toBe("127.0.0.1");
      const attempts = [laboratory.peer, neighbour].flatMap((place) =>
        [PORTS.loopback, PORTS.tcp, PORTS.hidden].map((port) =>
          laboratory.ask(place, "tcp", "127.0.0.1", port),
        ),
      );
      expect(new Set(await Promise.all(attempts))).toEqual(new Set(["silence"]));
    },
  );
});

withKernel(
  "a port without a host port is given a free one, the same in both families, for each protocol",
  async () => {
    await using laboratory = new Laboratory();
    const { ports } = await laboratory.attach("one", {
      ports: [
        { containerPort: 80, protocol: "tcp" },
        { containerPort: 80, protocol: "udp", hostPort: 0 },
        { containerPort: 81, protocol: "tcp", hostIp: "::1" },
      ],
    });
    expect(ports.map(({ protocol, hostIp }) => [protocol, hostIp])).toEqual([
      ["tcp", "0.0.0.0"],
      ["tcp", "::"],
      ["udp", "0.0.0.0"],
      ["udp", "::"],
      ["tcp", "::1"],
    ]);
    expect(ports[0]?.hostPort).toBe(ports[1]?.hostPort ?? 0);
    const [low = 0, high = 0] = laboratory.kernel
      .readSysctl("net.ipv4.ip_local_port_range")
      .split(/\s+/)
      .map(Number);
    for (const { hostPort } of ports) expect(hostPort >= low && hostPort <= high).toBe(true);
  },
);

withKernel("of a range the first free port is taken", async () => {
  await using laboratory = new Laboratory();
  const ports = [{ containerPort: 80, protocol: "tcp", hostPort: 41020, hostPortEnd: 41022 }] as const;
  const first = await laboratory.attach("one", { ports });
  const second = await laboratory.attach("two", { ports });
  expect([first, second].map((sandbox) => sandbox.ports[0]?.hostPort)).toEqual([41020, 41021]);
});

withKernel(
  "a port another container publishes is refused in Docker's words, and the hint names the container",
  async () => {
    await using laboratory = new Laboratory();
    const ports = [{ containerPort: 80, protocol: "tcp", hostPort: 41030 }] as const;
    await laboratory.attach("one", { name: "web", ports });
    await expect(laboratory.attach("two", { name: "shop", ports })).rejects.toMatchObject({
      kind: "internal",
      message: expect.stringMatching(
        /^driver failed programming external connectivity on endpoint shop \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:41030 failed: port is already allocated$/,
      ),
      hint: expect.stringContaining("web"),
    });
    expect(readdirSync(join(laboratory.folder, "netns"))).toEqual(["one"]);
    await laboratory.manager.detach("one");
    await laboratory.attach("two", { ports });
  },
);

withKernel("a port a program of the host listens on is refused, and the hint names the program", async () => {
  await using laboratory = new Laboratory();
  const server = await laboratory.serve(undefined, "tcp", 41040);
  const ports = [{ containerPort: 80, protocol: "tcp", hostPort: 41040 }] as const;
  await expect(laboratory.attach("one", { ports })).rejects.toMatchObject({
    message: expect.stringContaining(
      `failed to bind host port for 0.0.0.0:41040:${INSIDE}.2:80/tcp: address already in use`,
    ),
    hint: expect.stringContaining(`process ${server.pid}`),
  });
});

withKernel("a program of the host can not take a published port", async () => {
  await using laboratory = new Laboratory();
  await laboratory.attach("one", { ports: [{ containerPort: 80, protocol: "tcp", hostPort: 41050 }] });
  await expect(
    run([
      process.execPath,
      "-e",
      `require("net").createServer().on("error", e => { console.error(e.code); process.exit(3) }).listen(41050, "0.0.0.0", () => process.exit())`,
    ]),
  ).resolves.toMatchObject({ exitCode: 3, stderr: expect.stringContaining("EADDRINUSE") });
});

for (const port of [
  { containerPort: 80, protocol: "tcp", hostIp: "203.0.113.9", hostPort: 41060 },
  { containerPort: 80, protocol: "sctp", hostIp: "203.0.113.9", hostPort: 41060 },
] as const) {
  withKernel(`${port.protocol} that can not be published leaves nothing behind`, async () => {
    await using laboratory = new Laboratory();
    await expect(laboratory.attach("one", { ports: [port] })).rejects.toThrow(
      /cannot assign requested address|this kernel has no SCTP/,
    );
    expect(readdirSync(join(laboratory.folder, "netns"))).toEqual([]);
  });
}

withKernel("none is a namespace with lo alone, host no namespace at all", async () => {
  await using laboratory = new Laboratory();
  const none = await laboratory.attach("one", { mode: "none" });
  using inside = laboratory.inside(path(none));
  expect(
    inside
      .links()
      .filter((link) => link.isUp)
      .map((link) => link.name),
  ).toEqual(["lo"]);
  const host = await laboratory.attach("two", { mode: "host" });
  expect(host.namespacePath).toBeUndefined();
  expect(host.endpoints[0]?.networkName).toBe("host");
});

withKernel(
  "a container may share another's namespace, and not that of one that is not attached",
  async () => {
    await using laboratory = new Laboratory();
    const owner = await laboratory.attach("one");
    const guest = await laboratory.attach("two", { mode: "container:one" });
    expect(guest).toMatchObject({ namespacePath: path(owner), endpoints: [], ports: [] });
    await laboratory.manager.detach("two");
    expect(await laboratory.ask(path(owner), "tcp", "127.0.0.1", 9)).toBe("ECONNREFUSED");
    await expect(laboratory.attach("three", { mode: "container:gone" })).rejects.toMatchObject({
      kind: "conflict",
      message: "cannot join network namespace of a non running container: gone",
    });
  },
);

withKernel("detach() is idempotent, and attach() again gives a new namespace", async () => {
  await using laboratory = new Laboratory();
  await laboratory.attach("one");
  await laboratory.attach("one");
  await laboratory.manager.detach("one");
  await laboratory.manager.detach("one");
  expect(readdirSync(join(laboratory.folder, "netns"))).toEqual([]);
});

for (const id of ["", "..", "a/b", ".a", "a\0b"]) {
  withKernel(`${JSON.stringify(id)} is refused as an id`, async () => {
    await using laboratory = new Laboratory();
    await expect(laboratory.attach(id)).rejects.toThrow("it is not an id");
  });
}

withKernel(
  "an engine that was killed is followed by one that keeps the living and removes the dead",
  async () => {
    await using laboratory = new Laboratory();
    const ports = [{ containerPort: 80, protocol: "tcp", hostPort: 41070 }] as const;
    const live = await laboratory.attach("live", { ports });
    const dead = await laboratory.attach("dead", {
      ports: [{ containerPort: 80, protocol: "tcp", hostPort: 41071 }],
    });
    await laboratory.serve(path(live), "tcp", 80);
    // Closing lets the ports go, as death would; nothing is said to the kernel.
    await laboratory.manager.close();
    expect(await laboratory.ask(laboratory.peer, "tcp", HOST_ADDRESS, 41070)).toBe(PEER_ADDRESS);
    laboratory.kernel.createNetworkNamespace(join(laboratory.folder, "netns/orphan"));

    laboratory.manager = laboratory.openManager();
    await laboratory.manager.recover(new Set(["live"]));
    expect(readdirSync(join(laboratory.folder, "netns"))).toEqual(["live"]);
    expect(await laboratory.ask(laboratory.peer, "tcp", HOST_ADDRESS, 41070)).toBe(PEER_ADDRESS);
    expect(await laboratory.ask(undefined, "tcp", "::1", 41070)).toBe(`${INSIDE}.1`);
    expect(await laboratory.ask(laboratory.peer, "tcp", HOST_ADDRESS, 41071)).toBe("ECONNREFUSED");
    await expect(laboratory.attach("other", { ports })).rejects.toThrow("port is already allocated");
    expect((await laboratory.attach("other")).endpoints[0]?.ipv4).toBe(`${INSIDE}.5`);
    await laboratory.manager.teardownIfIdle();
    using host = Rtnetlink.open();
    expect(host.findLink(live.endpoints[0]?.hostInterface ?? "")).toBeDefined();
    expect(host.findLink(dead.endpoints[0]?.hostInterface ?? "")).toBeUndefined();
  },
);

withKernel("an engine whose records are lost removes what the one before made", async () => {
  await using laboratory = new Laboratory();
  const lost = await laboratory.attach("lost");
  for (const { id } of laboratory.database.documents("attachments").all()) {
    laboratory.database.documents("attachments").remove(id);
  }
  await laboratory.manager.close();
  laboratory.manager = laboratory.openManager();
  await laboratory.manager.recover(new Set(["lost"]));
  await laboratory.manager.teardownIfIdle();
  using host = Rtnetlink.open();
  expect(host.findLink(lost.endpoints[0]?.hostInterface ?? "")).toBeUndefined();
  expect(await traces()).toEqual([CABLE]);
});

for (const [what, command] of [
  ["flushes all tables", ["delete", "table", "inet", BRIDGE]],
  ["empties our table", ["flush", "table", "inet", BRIDGE]],
  ["empties our chain of ports", ["flush", "chain", "inet", BRIDGE, "published"]],
] as const) {
  withKernel(`a program that ${what} is noticed, and the rules put back`, async () => {
    await using laboratory = new Laboratory();
    const ports = [{ containerPort: 80, protocol: "tcp", hostPort: 41080 }] as const;
    const sandbox = await laboratory.attach("one", { ports });
    await laboratory.serve(path(sandbox), "tcp", 80);
    const before = countRules(BRIDGE);
    await run(["nft", ...command]);
    while (countRules(BRIDGE) < before) await Bun.sleep(5);
    expect(await laboratory.ask(laboratory.peer, "tcp", HOST_ADDRESS, 41080)).toBe(PEER_ADDRESS);
    expect(await laboratory.ask(laboratory.peer, "tcp", `${INSIDE}.2`, 80)).toBe("silence");
  });
}

withKernel(
  "a sender of datagrams that never falls silent reaches the container that has the port now",
  async () => {
    await using laboratory = new Laboratory();
    const ports = [{ containerPort: 80, protocol: "udp", hostPort: 41090 }] as const;
    expect(await laboratory.askFrom(5000, 41090)).toBe("silence");
    for (const id of ["one", "two"]) {
      const sandbox = await laboratory.attach(id, { ports });
      await laboratory.serve(path(sandbox), "udp", 80);
      expect(await laboratory.askFrom(5000, 41090)).toBe(PEER_ADDRESS);
      await laboratory.manager.detach(id);
    }
  },
);

for (const mac of ["", "02:00:00:00:00", "03:00:00:00:00:01"]) {
  withKernel(`${JSON.stringify(mac)} is refused as a MAC address`, async () => {
    await using laboratory = new Laboratory();
    await expect(laboratory.attach("one", { networks: [{ network: "bridge", mac }] })).rejects.toMatchObject({
      kind: "invalid",
    });
  });
}

withKernel("a bridge that somebody removed is made again for the next container", async () => {
  await using laboratory = new Laboratory();
  await laboratory.attach("one");
  await Rtnetlink.deleteLinkInBackground(BRIDGE);
  const sandbox = await laboratory.attach("two");
  await laboratory.serve(laboratory.peer, "tcp", 80);
  expect(await laboratory.ask(path(sandbox), "tcp", PEER_ADDRESS, 80)).toBe(HOST_ADDRESS);
});

withKernel("forty at once get forty addresses", async () => {
  await using laboratory = new Laboratory();
  const ids = Array.from({ length: 40 }, (_, i) => `c${i}`);
  const port = { containerPort: 80, protocol: "tcp" } as const;
  const sandboxes = await Promise.all(ids.map((id) => laboratory.attach(id, { ports: [port] })));
  expect(new Set(sandboxes.map(({ endpoints }) => endpoints[0]?.ipv4)).size).toBe(40);
  expect(new Set(sandboxes.map(({ ports }) => ports[0]?.hostPort)).size).toBe(40);
  await Promise.all(ids.map((id) => laboratory.manager.detach(id)));
});

withKernel("after everything is removed nothing of ours is left in the kernel", async () => {
  expect(await traces()).toEqual([]);
});
