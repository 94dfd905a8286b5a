import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { EngineError, isErrno } from "#base/errors.ts";
import { applyRules, countRules, hasTable } from "#linux/firewall.ts";
import type { Kernel } from "#linux/kernel.ts";
import { forgetDatagramFlows } from "#linux/netlink/conntrack.ts";
import { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import type { Link } from "#linux/netlink/route-message.ts";
import type { Endpoint } from "./attachment.ts";
import type { ConnectedEndpoint, ConnectOptions, Driver } from "./driver.ts";
import { FirewallTable } from "./firewall-table.ts";
import type { BridgeFacts } from "./network-record.ts";
import type { Publication } from "./publish-rules.ts";
import { formatSubnet } from "./subnet.ts";

/** What of the kernel's door the networks use. */
export type NetworkKernel = Pick<
  Kernel,
  "createNetworkNamespace" | "removeNetworkNamespace" | "inNetworkNamespace" | "readSysctl" | "writeSysctl"
>;

const CONTAINER_INTERFACE = "eth0";

/**
 * Inside an IPv4 network an interface has no IPv6 at all, and takes no router's word. `lo` keeps `::1`, as programs
 * expect. Set before the interface appears.
 */
const INSIDE_SYSCTLS = [
  ["net.ipv6.conf.default.disable_ipv6", "1"],
  ["net.ipv6.conf.default.accept_ra", "0"],
] as const;

/** A Linux bridge with NAT to the outside: IPv4 only. */
export class BridgeDriver implements Driver {
  readonly #kernel: NetworkKernel;
  readonly #netlink: Rtnetlink;
  readonly #bridge: BridgeFacts;
  readonly #firewall: FirewallTable;
  #isPrepared = false;
  /** The bridge's interface, as `ensure` saw it last. */
  #index = 0;

  constructor(kernel: NetworkKernel, netlink: Rtnetlink, bridge: BridgeFacts) {
    this.#kernel = kernel;
    this.#netlink = netlink;
    this.#bridge = bridge;
    this.#firewall = new FirewallTable({
      bridge: bridge.name,
      subnet: formatSubnet(bridge.subnet),
      apply: applyRules,
      count: countRules,
    });
  }

  async ensure(): Promise<void> {
    const found = this.#netlink.findLink(this.#bridge.name);
    if (this.#firewall.check() && found?.index === this.#index && this.#isPrepared) return;
    this.#isPrepared = false;
    this.#index = this.#prepareLink(found);
    await this.#firewall.ensure();
    // Only now, as the rules keep others away from what the settings open.
    this.#prepareHost();
    this.#isPrepared = true;
  }

  connect(endpoint: ConnectedEndpoint, { namespacePath, hasPorts }: ConnectOptions): void {
    const { mtu } = this.#bridge;
    this.#kernel.inNetworkNamespace(namespacePath, () => {
      for (const [name, value] of INSIDE_SYSCTLS) this.#writeIfPresent(name, value);
      // Our own socket goes on serving the host's namespace in here.
      this.#netlink.createVeth({
        name: endpoint.hostInterface,
        mtu,
        masterIndex: this.#index,
        isUp: true,
        peer: { name: CONTAINER_INTERFACE, namespace: namespacePath, mac: endpoint.mac },
      });
      using inside = Rtnetlink.open();
      inside.configure(inside.getLink(CONTAINER_INTERFACE), {
        addresses: [{ address: endpoint.ipv4, prefixLength: endpoint.prefix }],
        routes: [{ gateway: endpoint.gateway }],
      });
    });
    // With br_netfilter the kernel may rewrite a frame on its way into the bridge, and it must leave where it came from.
    if (hasPorts) this.#netlink.setHairpin(this.#netlink.getLink(endpoint.hostInterface), true);
  }

  async disconnect({ hostInterface }: Endpoint): Promise<void> {
    if (hostInterface !== undefined) await Rtnetlink.deleteLinkInBackground(hostInterface);
  }

  async publish(publications: readonly Publication[]): Promise<void> {
    await this.#firewall.publish(publications);
  }

  async redirectSenders(ports: readonly number[]): Promise<void> {
    // The kernel looks through all of its flows, 10 ms: not before the caller has gone on.
    await setImmediate();
    const addresses = new Set(this.#netlink.addresses().map((one) => one.address));
    for (const port of ports) forgetDatagramFlows({ port, addresses });
  }

  hostInterfaces(): string[] {
    const master = this.#netlink.findLink(this.#bridge.name);
    if (!master) return [];
    return this.#netlink
      .links()
      .filter((link) => link.masterIndex === master.index)
      .map((link) => link.name);
  }

  exists(): boolean {
    return this.#netlink.findLink(this.#bridge.name) !== undefined;
  }

  async remove(): Promise<void> {
    if (!this.exists() && !hasTable(this.#bridge.name)) return;
    this.#isPrepared = false;
    // The rules go last: they guard what the bridge's settings open.
    await Rtnetlink.deleteLinkInBackground(this.#bridge.name);
    await this.#firewall.remove();
  }

  close(): void {
    this.#netlink[Symbol.dispose]();
  }

  #prepareLink(found: Link | undefined): number {
    const { name, mtu, subnet, gateway } = this.#bridge;
    if (found && found.kind !== "bridge") {
      const hint = `rename it, or start the engine with another bridge name`;
      throw new EngineError("conflict", `Cannot use ${name} as bridge: it is another interface`, { hint });
    }
    if (!found) this.#netlink.createBridge({ name, mtu, mac: randomMac() });
    else this.#netlink.setLink(found, { mtu, isUp: true });
    const link = this.#netlink.getLink(name);
    const addresses = this.#netlink
      .addresses()
      .filter((one) => one.linkIndex === link.index && !one.address.includes(":"));
    // An engine with another subnet may have died here.
    for (const one of addresses) if (one.address !== gateway) this.#netlink.removeAddress(one);
    if (!addresses.some((one) => one.address === gateway)) {
      this.#netlink.addAddress(link, { address: gateway, prefixLength: subnet.prefixLength });
    }
    return link.index;
  }

  #prepareHost(): void {
    const device = this.#bridge.name.replaceAll(".", "/");
    // Published ports answer on 127.0.0.1: the chain `guard` keeps everybody else away from it.
    this.#kernel.writeSysctl(`net.ipv4.conf.${device}.route_localnet`, "1");
    this.#writeIfPresent(`net.ipv6.conf.${device}.disable_ipv6`, "1");
    // Other people's forwarding stays as it is: we set no policy for what does not touch our bridge.
    this.#kernel.writeSysctl("net.ipv4.ip_forward", "1");
  }

  /** A kernel started with IPv6 off has none of its settings. */
  #writeIfPresent(name: string, value: string): void {
    try {
      this.#kernel.writeSysctl(name, value);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }
}

/** Locally administered, for one receiver. */
export function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfe) | 0x02;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
