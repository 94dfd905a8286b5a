import { EngineError, isErrno } from "#base/errors.ts";
import type { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import type { Link, UpperLink } from "#linux/netlink/route-message.ts";
import type { Endpoint } from "./attachment.ts";
import type { ConnectOptions, Driver } from "./driver.ts";
import { vlanOf } from "./lan-settings.ts";
import type { LanSettings } from "./lan-settings.ts";

/** What of the host's links this needs. */
export type LanLinks = Pick<
  Rtnetlink,
  "findLink" | "getLink" | "setLink" | "createUpperLink" | "createDummy" | "deleteLink"
>;

export interface LanDriverOptions {
  /** Of the host. */
  readonly netlink: LanLinks;
  readonly settings: LanSettings;
  /** What stands for the parent of a network that has none. */
  readonly dummy: string;
  readonly alias: string;
}

/** A network whose containers are stations of the LAN behind an interface of the host. */
export class LanDriver implements Driver {
  readonly #netlink: LanLinks;
  readonly #settings: LanSettings;
  readonly #dummy: string;
  readonly #alias: string;
  readonly #parent: string;

  constructor({ netlink, settings, dummy, alias }: LanDriverOptions) {
    this.#netlink = netlink;
    this.#settings = settings;
    this.#dummy = dummy;
    this.#alias = alias;
    this.#parent = settings.parent ?? dummy;
  }

  isWhole(): boolean {
    return this.exists();
  }

  prepare(): void {
    if (!this.exists()) this.#createParent();
    this.#probe();
  }

  open(): void {
    // The host's rules do not see these packets.
  }

  connect(endpoint: Endpoint, { namespacePath }: ConnectOptions): void {
    const { interfaceName = "", mac } = endpoint;
    this.#createUpper(interfaceName, { namespace: namespacePath, ...(mac !== undefined && { mac }) });
  }

  /** The interface has no end on the host: it goes with its namespace, or was taken out of it. */
  async disconnect(): Promise<void> {
    await Promise.resolve();
  }

  hostInterfaces(): string[] {
    return [];
  }

  exists(): boolean {
    return this.#netlink.findLink(this.#parent) !== undefined;
  }

  /** What the engine made for the network: a dummy, or a VLAN. */
  async remove(): Promise<void> {
    const found = this.#netlink.findLink(this.#parent);
    if (found?.alias === this.#alias) this.#netlink.deleteLink(found.name);
    await Promise.resolve();
  }

  #createParent(): void {
    const { parent } = this.#settings;
    if (parent === undefined) {
      this.#named("dummy", () => this.#netlink.createDummy(this.#dummy));
    } else {
      const vlan = vlanOf(parent);
      const below = vlan && this.#netlink.findLink(vlan.link);
      if (vlan === undefined || below === undefined) {
        const what = vlan === undefined ? parent : vlan.link;
        throw new EngineError("invalid", `Cannot use ${parent} as parent: there is no interface ${what}`, {
          hint: "ip link shows the interfaces of this host",
        });
      }
      const upper = { kind: "vlan", id: vlan.id } as const;
      this.#named("vlan", () =>
        this.#netlink.createUpperLink({ name: parent, parentIndex: below.index, upper, isUp: true }),
      );
    }
    const made = this.#netlink.getLink(this.#parent);
    this.#netlink.setLink(made, { name: made.name, alias: this.#alias, isUp: true });
  }

  /** Whether the kernel makes such links at all is found out now, not when the first container comes. */
  #probe(): void {
    const name = `dp${Math.random().toString(36).slice(2, 10)}`;
    try {
      this.#createUpper(name, {});
    } catch (error) {
      // A parent in use by the one container it can have is no fault.
      if (!isErrno(error, "EBUSY")) throw error;
      return;
    }
    this.#netlink.deleteLink(name);
  }

  #createUpper(name: string, more: { readonly namespace?: string; readonly mac?: string }): void {
    const parent: Link = this.#netlink.getLink(this.#parent);
    const { mtu } = this.#settings;
    const link = { name, parentIndex: parent.index, upper: upperOf(this.#settings), ...more };
    this.#named(this.#settings.kind, () =>
      this.#netlink.createUpperLink({ ...link, ...(mtu !== undefined && { mtu }) }),
    );
  }

  /** A kernel without the kind of link says so in words of its own. */
  #named(kind: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isErrno(error, "EOPNOTSUPP")) throw error;
      const config = { macvlan: "CONFIG_MACVLAN", ipvlan: "CONFIG_IPVLAN", vlan: "CONFIG_VLAN_8021Q" }[kind];
      const message = `Cannot make an interface of kind ${kind}: this kernel does not have it`;
      throw new EngineError("unsupported", message, {
        cause: error,
        hint: `modprobe ${kind === "vlan" ? "8021q" : kind}, or a kernel with ${config ?? "CONFIG_DUMMY"}`,
      });
    }
  }
}

function upperOf({ kind, mode, flag = "bridge" }: LanSettings): UpperLink {
  // The settings were looked at when the network was made: modes and flags are those of the kind.
  if (kind === "macvlan") return { kind, mode: mode as "bridge" };
  return { kind, mode: mode as "l2", flag: flag as "bridge" };
}
