import { EngineError, isErrno } from "#base/errors.ts";
import { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import type { Link } from "#linux/netlink/route-message.ts";
import type { Endpoint } from "./attachment.ts";
import type { BridgeSettings } from "./bridge-settings.ts";
import type { ConnectOptions, Driver, NetworkKernel } from "./driver.ts";
import { randomMac } from "./endpoint-maker.ts";
import { writeIfPresent } from "./interface-sysctls.ts";
import { STATION_GROUP } from "./neighbour-rules.ts";
import type { NetworkRules } from "./network-rules.ts";

export interface BridgeDriverOptions {
  readonly kernel: NetworkKernel;
  /** Of the host. */
  readonly netlink: Rtnetlink;
  readonly settings: BridgeSettings;
  /** For people, and for recovery: what says in the kernel that the bridge is ours. */
  readonly alias: string;
  readonly networkName: string;
}

/** A Linux bridge; the way out is by NAT, or as its gateway modes say. */
export class BridgeDriver implements Driver {
  readonly #kernel: NetworkKernel;
  readonly #netlink: Rtnetlink;
  readonly #settings: BridgeSettings;
  readonly #alias: string;
  readonly rules: NetworkRules;
  readonly mtu: number;
  /** The bridge's interface, as `prepare` left it. */
  #index = 0;

  constructor({ kernel, netlink, settings, alias, networkName }: BridgeDriverOptions) {
    this.#kernel = kernel;
    this.#netlink = netlink;
    this.#settings = settings;
    this.#alias = alias;
    this.mtu = settings.mtu;
    const { name, subnets, isInternal, hasIcc, masquerades, modes, sourceAddresses } = settings;
    const gateways = settings.addresses.map(({ address }) => address);
    this.rules = {
      networkName,
      gateways,
      name,
      subnets,
      isInternal,
      hasIcc,
      masquerades,
      modes,
      sourceAddresses,
    };
  }

  isWhole(): boolean {
    return this.#index !== 0 && this.#netlink.findLink(this.#settings.name)?.index === this.#index;
  }

  prepare(): void {
    const { name, mtu } = this.#settings;
    const found = this.#netlink.findLink(name);
    if (found && found.kind !== "bridge") {
      const hint = `rename it, or give the network another bridge name`;
      throw new EngineError("conflict", `Cannot use ${name} as bridge: it is another interface`, { hint });
    }
    if (found) this.#netlink.setLink(found, { mtu, isUp: true });
    else this.#create();
    const link = this.#netlink.getLink(name);
    this.#setAddresses(link, found === undefined || this.#isOurs(found));
    this.#index = link.index;
  }

  open(): void {
    const device = this.#settings.name.replaceAll(".", "/");
    // Published ports answer on 127.0.0.1: the chain `guard` keeps everybody else away from it.
    if (!this.#settings.isInternal) {
      this.#kernel.writeSysctl(`net.ipv4.conf.${device}.route_localnet`, "1");
    }
    // Other people's forwarding stays as it is: we set no policy for what does not touch our bridges.
    this.#kernel.writeSysctl("net.ipv4.ip_forward", "1");
    if (this.#settings.hasIpv6) this.#forwardIpv6();
  }

  connect(endpoint: Endpoint, { namespacePath, hasPorts }: ConnectOptions): void {
    const { hostInterface = "", interfaceName = "", mac } = endpoint;
    this.#netlink.createVeth({
      name: hostInterface,
      mtu: this.#settings.mtu,
      group: STATION_GROUP,
      masterIndex: this.#index,
      isUp: true,
      peer: { name: interfaceName, namespace: namespacePath, ...(mac !== undefined && { mac }) },
    });
    // With br_netfilter the kernel may rewrite a frame on its way into the bridge, and it must leave where it came from.
    const settings = { isHairpin: hasPorts, isIsolated: !this.#settings.hasIcc, isLearning: false };
    this.#netlink.setPort(this.#netlink.getLink(hostInterface), settings, mac);
  }

  async disconnect({ hostInterface }: Endpoint): Promise<void> {
    if (hostInterface !== undefined) await Rtnetlink.deleteLinkInBackground(hostInterface);
  }

  hostInterfaces(): string[] {
    const master = this.#netlink.findLink(this.#settings.name);
    if (!master || !this.#isOurs(master)) return [];
    return this.#netlink
      .links()
      .filter((link) => link.masterIndex === master.index)
      .map((link) => link.name);
  }

  exists(): boolean {
    return this.#netlink.findLink(this.#settings.name) !== undefined;
  }

  /** A bridge that was there before us stays. */
  async remove(): Promise<void> {
    this.#index = 0;
    const found = this.#netlink.findLink(this.#settings.name);
    if (found && this.#isOurs(found)) await Rtnetlink.deleteLinkInBackground(found.name);
  }

  #isOurs({ alias }: Link): boolean {
    return alias === this.#alias;
  }

  #create(): void {
    const { name, mtu, hasIpv6 } = this.#settings;
    const device = name.replaceAll(".", "/");
    this.#netlink.createBridge({ name, mtu, mac: randomMac() });
    // Before it has an address: nothing of IPv6 where it was not asked for, and no router is believed.
    writeIfPresent(this.#kernel, `net.ipv6.conf.${device}.accept_ra`, "0");
    writeIfPresent(this.#kernel, `net.ipv6.conf.${device}.disable_ipv6`, hasIpv6 ? "0" : "1");
    this.#netlink.setLink(this.#netlink.getLink(name), { name, alias: this.#alias });
  }

  /** An engine with another subnet may have died here: what is ours has the addresses it is to have and no other. */
  #setAddresses(link: Link, isOurs: boolean): void {
    const { addresses: wanted } = this.#settings;
    const found = this.#netlink
      .addresses()
      .filter((one) => one.linkIndex === link.index && !one.address.startsWith("fe80:"));
    const isWanted = (address: string): boolean => wanted.some((one) => one.address === address);
    if (isOurs) for (const one of found) if (!isWanted(one.address)) this.#netlink.removeAddress(one);
    for (const one of wanted) {
      if (found.some(({ address }) => address === one.address)) continue;
      this.#netlink.addAddress(link, { ...one, skipsDuplicateCheck: one.address.includes(":") });
    }
  }

  /** A host that forwards no longer believes routers, unless it is told to: those that it believes stay believed. */
  #forwardIpv6(): void {
    const forwarding = "net.ipv6.conf.all.forwarding";
    if (this.#read(forwarding) !== "0") return;
    for (const { name } of this.#netlink.links()) {
      const accepting = `net.ipv6.conf.${name.replaceAll(".", "/")}.accept_ra`;
      if (this.#read(accepting) === "1") writeIfPresent(this.#kernel, accepting, "2");
    }
    this.#kernel.writeSysctl(forwarding, "1");
  }

  /** `undefined` where there is no such setting: the kernel has no IPv6, or the interface has gone. */
  #read(name: string): string | undefined {
    try {
      return this.#kernel.readSysctl(name);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }
}
