import { afterAll, beforeAll, describe, expect } from "bun:test";
import { countRules } from "#linux/firewall.ts";
import { run } from "#linux/process.ts";
import { needs } from "../../test/needs.ts";
import {
  BRIDGE,
  HOST_ADDRESS,
  HOST_ADDRESS6,
  Laboratory,
  PEER_ADDRESS,
  PEER_ADDRESS6,
} from "./_laboratory.ts";
import type { PortRequest } from "./port-publisher.ts";
import type { Sandbox } from "./sandbox.ts";

const withKernel = needs("root", "nft");

/** The container answers everybody with the address they come from. */
const INSIDE_PORT = 80;
const PORTS = { tcp: 41301, udp: 41302, loopback: 41303, loopback6: 41304, own: 41305 };

const REQUESTS: readonly PortRequest[] = [
  { containerPort: INSIDE_PORT, protocol: "tcp", hostPort: PORTS.tcp },
  { containerPort: INSIDE_PORT, protocol: "udp", hostPort: PORTS.udp },
  { containerPort: INSIDE_PORT, protocol: "tcp", hostIp: "127.0.0.1", hostPort: PORTS.loopback },
  { containerPort: INSIDE_PORT, protocol: "tcp", hostIp: "::1", hostPort: PORTS.loopback6 },
  { containerPort: INSIDE_PORT, protocol: "tcp", hostIp: HOST_ADDRESS, hostPort: PORTS.own },
];

/** Who asks (`undefined`: the host), what, and what the answer is to be. */
type Way = readonly [string | undefined, "tcp" | "udp", string, number, string | undefined];

const AT_ONCE = 7;

describe("ports of a network with IPv4 and IPv6", () => {
  let laboratory: Laboratory;
  let web: Sandbox;
  let neighbour: Sandbox;
  let foreigner: Sandbox;

  beforeAll(async () => {
    if (process.getuid?.() !== 0) return;
    laboratory = new Laboratory();
    laboratory.cableIpv6();
    laboratory.trustCable();
    await laboratory.manager.create({ name: "dual", hasIpv6: true });
    await laboratory.manager.create({ name: "other", hasIpv6: true });
    const networks = [{ network: "dual" }];
    web = await laboratory.attach("web", { networks, ports: REQUESTS });
    neighbour = await laboratory.attach("neighbour", { networks });
    foreigner = await laboratory.attach("foreigner", { networks: [{ network: "other" }] });
    await Promise.all([
      laboratory.serve(path(web), "tcp", INSIDE_PORT, "::"),
      laboratory.serve(path(web), "udp", INSIDE_PORT, "::"),
    ]);
  });

  afterAll(async () => {
    await laboratory?.[Symbol.asyncDispose]();
  });

  function path({ namespacePath = "no namespace" }: Sandbox): string {
    return namespacePath;
  }

  function own(family: "ipv4" | "ipv6"): string {
    return web.endpoints[0]?.[family] ?? "no address";
  }

  /** A machine under load answers late: what is to answer is asked again. */
  async function answerOn([from, protocol, address, port, expected]: Way): Promise<string> {
    for (let left = 10; ; left--) {
      const answer = await laboratory.ask(from, protocol, address, port);
      if (answer !== "silence" || expected === "silence" || left === 0) return answer;
    }
  }

  /** Every way in that is to be, and every way that is not to be: who asks, what, and what the answer is. */
  async function expectWays(): Promise<void> {
    const { peer } = laboratory;
    const [gateway, gateway6] = [web.endpoints[0]?.gateway, web.endpoints[0]?.ipv6Gateway];
    const ways: readonly Way[] = [
      // A peer reaches what is published for it, and is seen with its own address.
      [peer, "tcp", HOST_ADDRESS, PORTS.tcp, PEER_ADDRESS],
      [peer, "udp", HOST_ADDRESS, PORTS.udp, PEER_ADDRESS],
      [peer, "tcp", HOST_ADDRESS6, PORTS.tcp, PEER_ADDRESS6],
      [peer, "udp", HOST_ADDRESS6, PORTS.udp, PEER_ADDRESS6],
      [peer, "tcp", HOST_ADDRESS, PORTS.own, PEER_ADDRESS],
      // The host, by loopback and by its addresses.
      [undefined, "tcp", "127.0.0.1", PORTS.tcp, gateway],
      [undefined, "udp", "127.0.0.1", PORTS.udp, gateway],
      [undefined, "tcp", "::1", PORTS.tcp, gateway6],
      [undefined, "udp", "::1", PORTS.udp, gateway6],
      [undefined, "tcp", "127.0.0.1", PORTS.loopback, gateway],
      [undefined, "tcp", "::1", PORTS.loopback6, gateway6],
      [undefined, "tcp", HOST_ADDRESS, PORTS.tcp, HOST_ADDRESS],
      [undefined, "tcp", HOST_ADDRESS6, PORTS.tcp, HOST_ADDRESS6],
      // Containers: the one itself, of its network, of another.
      [path(web), "tcp", HOST_ADDRESS, PORTS.tcp, gateway],
      [path(web), "tcp", HOST_ADDRESS6, PORTS.tcp, gateway6],
      [path(neighbour), "tcp", HOST_ADDRESS, PORTS.tcp, gateway],
      [path(neighbour), "udp", HOST_ADDRESS6, PORTS.udp, gateway6],
      [path(foreigner), "tcp", HOST_ADDRESS, PORTS.tcp, gateway],
      [path(foreigner), "tcp", HOST_ADDRESS6, PORTS.tcp, gateway6],
      // What is for loopback alone, and the container's own addresses, are for nobody else.
      [peer, "tcp", HOST_ADDRESS, PORTS.loopback, "ECONNREFUSED"],
      [peer, "tcp", HOST_ADDRESS6, PORTS.loopback6, "ECONNREFUSED"],
      [peer, "tcp", own("ipv4"), INSIDE_PORT, "silence"],
      [peer, "tcp", own("ipv6"), INSIDE_PORT, "silence"],
      [path(foreigner), "tcp", own("ipv4"), INSIDE_PORT, "silence"],
      [path(foreigner), "tcp", own("ipv6"), INSIDE_PORT, "silence"],
      [path(neighbour), "tcp", HOST_ADDRESS, PORTS.loopback, "ECONNREFUSED"],
      [peer, "tcp", HOST_ADDRESS6, PORTS.own, "ECONNREFUSED"],
    ];
    const tell = ([from, protocol, address, port]: Way, answer: string | undefined): string =>
      `${from ?? "host"} ${protocol} ${address} ${port}: ${answer?.replace("::ffff:", "")}`;
    const answers: string[] = [];
    for (let at = 0; at < ways.length; at += AT_ONCE) {
      const some = ways.slice(at, at + AT_ONCE);
      answers.push(...(await Promise.all(some.map(async (way) => tell(way, await answerOn(way))))));
    }
    expect(answers).toEqual(ways.map((way) => tell(way, way[4])));
  }

  withKernel("lead where they are to lead, and nowhere else", async () => {
    await expectWays();
  });

  withKernel("still do when another program empties all tables", async () => {
    const before = countRules(BRIDGE);
    await run(["nft", "flush", "table", "inet", BRIDGE]);
    while (countRules(BRIDGE) < before) await Bun.sleep(5);
    await expectWays();
  });

  withKernel("still do with the next engine", async () => {
    await laboratory.manager.close();
    laboratory.manager = laboratory.openManager();
    await laboratory.manager.recover(new Set(["web", "neighbour", "foreigner"]));
    await expectWays();
  });
});
