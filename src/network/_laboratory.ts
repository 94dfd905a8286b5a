import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { EngineEvent } from "#base/event.ts";
import { silentLogger } from "#base/log.ts";
import { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import { run, spawn } from "#linux/process.ts";
import type { Child } from "#linux/process.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { memoryDatabase } from "./_memory-database.ts";
import { NetworkManager } from "./network-manager.ts";
import type { AttachRequest, Sandbox } from "./sandbox.ts";
import { parseSubnet } from "./subnet.ts";

/** Two test runs on one host have nothing in common. */
const RUN = process.pid;
export const BRIDGE = `dtest${RUN % 100_000}`;
/** The host's end of a cable to another machine, the peer. */
export const CABLE = `dtestl${RUN % 100_000}`;
/** First parts of the addresses of the LAN (of 198.18/15, RFC 2544) and of the default bridge. */
export const LAN = `198.${18 + ((RUN >> 8) % 2)}.${RUN % 256}`;
export const INSIDE = `10.${240 + ((RUN >> 8) % 16)}.${RUN % 256}`;
export const HOST_ADDRESS = `${LAN}.1`;
export const PEER_ADDRESS = `${LAN}.2`;
/** The same machines, by IPv6. */
const LAN6 = `fd00:198:${(RUN % 65_536).toString(16)}:`;
export const HOST_ADDRESS6 = `${LAN6}:1`;
export const PEER_ADDRESS6 = `${LAN6}:2`;
const SUBNET = `${INSIDE}.0/24`;

type Protocol = "tcp" | "udp";

/**
 * For tests: a manager on a bridge and subnet of its own, a peer on a cable to the host, and probes that ask and answer
 * in any of their namespaces. Disposing removes all of it.
 */
export class Laboratory implements AsyncDisposable {
  readonly kernel = openKernel();
  readonly folder = mkdtempSync(join(tmpdir(), "darse-network-"));
  readonly peer = join(this.folder, "peer");
  readonly database = memoryDatabase();
  /** What the managers have told. */
  readonly events: EngineEvent[] = [];
  manager: NetworkManager;
  readonly #servers: Child[] = [];

  constructor() {
    this.manager = this.openManager();
    this.kernel.createNetworkNamespace(this.peer);
    using host = Rtnetlink.open();
    host.createVeth({ name: CABLE, mtu: 1400, isUp: true, peer: { name: "eth0", namespace: this.peer } });
    host.addAddress(host.getLink(CABLE), { address: HOST_ADDRESS, prefixLength: 24 });
    using inside = this.inside(this.peer);
    inside.configure(inside.getLink("eth0"), {
      addresses: [{ address: PEER_ADDRESS, prefixLength: 24 }],
      routes: [{ gateway: HOST_ADDRESS }],
    });
  }

  /** The peer and the host know each other by IPv6 too. */
  cableIpv6(): void {
    const ends = [
      { namespace: undefined, link: CABLE, address: HOST_ADDRESS6 },
      { namespace: this.peer, link: "eth0", address: PEER_ADDRESS6 },
    ];
    for (const { namespace, link, address } of ends) {
      const work = (): void => {
        // Nobody else has the address, and asking around would take seconds.
        this.kernel.writeSysctl(`net.ipv6.conf.${link}.accept_dad`, "0");
        using here = Rtnetlink.open();
        here.addAddress(here.getLink(link), { address, prefixLength: 64 });
      };
      if (namespace === undefined) work();
      else this.kernel.inNetworkNamespace(namespace, work);
    }
    using inside = this.inside(this.peer);
    inside.addRoute(inside.getLink("eth0"), { gateway: HOST_ADDRESS6 });
  }

  /** Another manager over the same records, as after a restart. */
  openManager(): NetworkManager {
    const { kernel, database, folder: runDirectory } = this;
    const pools = [parseSubnet(SUBNET)];
    const networkPools = [parseSubnet(`10.${200 + (RUN % 40)}.0.0/16`)];
    const names = { bridge: BRIDGE, pools, networkPools, runDirectory };
    const emit = (event: EngineEvent): void => void this.events.push(event);
    return NetworkManager.open({ ...names, kernel, database, log: silentLogger, emit });
  }

  attach(id: string, request: Partial<AttachRequest> = {}): Promise<Sandbox> {
    return this.manager.attach({ id, mode: "bridge", ports: [], ...request }, new AbortController().signal);
  }

  /** Lets what waits go on. */
  async turn(): Promise<void> {
    await setImmediate();
  }

  /** Links, addresses and routes of a namespace. */
  inside(namespace: string): Rtnetlink {
    return this.kernel.inNetworkNamespace(namespace, () => Rtnetlink.open());
  }

  /** Makes packets to 127.0.0.1 leave the namespace by `gateway`, as an attacker would. */
  sendLoopbackOut(namespace: string, gateway: string): void {
    using inside = this.inside(namespace);
    this.kernel.inNetworkNamespace(namespace, () => {
      this.kernel.writeSysctl("net.ipv4.conf.all.route_localnet", "1");
    });
    const linkIndex = inside.getLink("lo").index;
    inside.removeAddress({ linkIndex, address: "127.0.0.1", prefixLength: 8 });
    inside.addRoute(inside.getLink("eth0"), {
      destination: { address: "127.0.0.1", prefixLength: 32 },
      gateway,
    });
  }

  /** The kernel's own check of addresses from outside is off: what keeps the peer out must be ours. */
  trustCable(): void {
    this.kernel.writeSysctl(`net.ipv4.conf.${CABLE}.route_localnet`, "1");
  }

  /** Answers with the asker's address, in a namespace or (`undefined`) on the host. */
  async serve(
    namespace: string | undefined,
    protocol: Protocol,
    port: number,
    address = "0.0.0.0",
  ): Promise<Child> {
    const command = probe(namespace, ["serve", protocol, address, String(port)]);
    const child = spawn(command, { stdout: "pipe" });
    this.#servers.push(child);
    await child.stdout?.getReader().read();
    return child;
  }

  /** The answer, an error's code, or `silence`. */
  async ask(
    namespace: string | undefined,
    protocol: Protocol,
    address: string,
    port: number,
  ): Promise<string> {
    const { stdout } = await run(probe(namespace, ["ask", protocol, address, String(port)]));
    return new TextDecoder().decode(stdout);
  }

  /** The answer to a datagram from the port `own` of the peer. */
  async askFrom(own: number, port: number): Promise<string> {
    const args = ["ask", "udp", HOST_ADDRESS, String(port), String(own)];
    const { stdout } = await run(probe(this.peer, args));
    return new TextDecoder().decode(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.kill(9);
    await this.manager.recover(new Set());
    await this.manager.teardownIfIdle();
    await this.manager.close();
    this.kernel.removeNetworkNamespace(this.peer);
    await Rtnetlink.deleteLinkInBackground(CABLE);
    rmSync(this.folder, { recursive: true });
  }
}

function probe(namespace: string | undefined, args: readonly string[]): string[] {
  const program = [process.execPath, join(import.meta.dir, "_probe.ts"), ...args];
  return namespace === undefined ? program : ["nsenter", `--net=${namespace}`, ...program];
}
