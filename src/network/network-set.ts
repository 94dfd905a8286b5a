import { randomBytes } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import { networkSlices } from "./address-pool.ts";
import type { Attachment, Endpoint } from "./attachment.ts";
import { BridgeDriver } from "./bridge-driver.ts";
import { bridgeSettings } from "./bridge-settings.ts";
import type { Driver, NetworkKernel } from "./driver.ts";
import type { FirewallTable } from "./firewall-table.ts";
import { readHostResolvConf } from "./host-resolv-conf.ts";
import { takenSubnets } from "./host-view.ts";
import type { TakenSubnet } from "./host-view.ts";
import { LanDriver } from "./lan-driver.ts";
import { dummyParent, lanSettings } from "./lan-settings.ts";
import type { Station } from "./neighbour-rules.ts";
import { planNetwork } from "./network-plan.ts";
import { isPredefined } from "./network-record.ts";
import type { NetworkInfo, NetworkRecord } from "./network-record.ts";
import type { NetworkRecords } from "./network-records.ts";
import type { NetworkRequest } from "./network-request.ts";
import { parseResolvConf } from "./resolv-conf.ts";
import { parseSubnet } from "./subnet.ts";
import type { Family, Subnet } from "./subnet.ts";

export interface NetworkSetOptions {
  readonly kernel: NetworkKernel;
  /** Of the host. */
  readonly netlink: Rtnetlink;
  readonly records: NetworkRecords;
  readonly firewall: FirewallTable;
  /** The default bridge, by which the engine is told from others on the host. */
  readonly bridge: string;
  readonly uplinkMtu: number;
  /** Where subnets are cut from that nobody asked for. */
  readonly networkPools?: readonly Subnet[] | undefined;
  readonly clock: Clock;
  /** Who is in a network now, and who is on the way. */
  usersOf(networkId: string): readonly Pick<Attachment, "id" | "name" | "endpoints">[];
}

/** Every network of the engine, in the records and in the kernel. */
export class NetworkSet {
  readonly #options: NetworkSetOptions;
  readonly #drivers = new Map<string, Driver>();

  constructor(options: NetworkSetOptions) {
    this.#options = options;
  }

  list(): NetworkRecord[] {
    return this.#options.records.list();
  }

  /** By name, id or unique start of an id. @throws {EngineError} not-found, invalid */
  get(nameOrId: string): NetworkRecord {
    return this.#options.records.get(nameOrId);
  }

  /** Makes a network, in the kernel too; when it throws, nothing of it is left. @throws {EngineError} see `planNetwork` */
  async create(request: NetworkRequest): Promise<NetworkInfo> {
    const { records, clock } = this.#options;
    const record = records.add(
      planNetwork(request, { ...this.#world(), existing: this.list(), now: clock() }),
    );
    if (record.isConfigOnly) return record;
    try {
      await this.ensure([record.id]);
    } catch (error) {
      await this.#forget(record);
      throw error;
    }
    return record;
  }

  /** @throws {EngineError} not-found, forbidden for one of every engine's or one with containers in it */
  async remove(nameOrId: string): Promise<NetworkInfo> {
    const record = this.get(nameOrId);
    const { name } = record;
    if (isPredefined(name)) {
      throw new EngineError("forbidden", `${name} is a pre-defined network and cannot be removed`);
    }
    const users = this.#options.usersOf(record.id);
    if (users.length > 0) throw inUse(record, users);
    const heir = this.list().find(({ configFrom }) => record.isConfigOnly && configFrom === name);
    if (heir) {
      throw new EngineError("forbidden", `configuration network "${name}" is in use`, {
        hint: `network ${heir.name} is made from it`,
      });
    }
    await this.#forget(record);
    return record;
  }

  /** Has these networks whole in the kernel, also where others took parts of them away; cheap when they are. */
  async ensure(ids: readonly string[]): Promise<void> {
    const drivers = ids.flatMap((id) => this.driverOf(id) ?? []);
    const damaged = drivers.filter((driver) => !driver.isWhole());
    if (damaged.length === 0 && this.#options.firewall.check() && this.#options.firewall.isInForce()) return;
    for (const driver of damaged) driver.prepare();
    if (drivers.some(({ rules }) => rules !== undefined)) await this.enforce();
    // Only now, as the rules keep others away from what the settings open.
    for (const driver of damaged) driver.open();
  }

  /** Nobody else may speak in the name of these. */
  admit(endpoints: readonly Endpoint[]): void {
    this.#options.firewall.admit(endpoints.flatMap(stationsOf));
  }

  /** They are gone. */
  dismiss(endpoints: readonly Endpoint[]): void {
    this.#options.firewall.dismiss(endpoints.flatMap(stationsOf));
  }

  /** Has the rules of all networks that stand in the kernel in force. */
  async enforce(): Promise<void> {
    const { firewall } = this.#options;
    const drivers = this.standing().flatMap(({ id }) => this.driverOf(id) ?? []);
    firewall.setNetworks(drivers.flatMap(({ rules }) => rules ?? []));
    await firewall.ensure();
  }

  /** `undefined` for `host`, `none`, networks that are nothing but settings, and those whose records are lost. */
  driverOf(id: string): Driver | undefined {
    const found = this.#drivers.get(id);
    if (found) return found;
    const record = this.list().find((one) => one.id === id);
    const driver = record && this.#openDriver(record);
    if (driver) this.#drivers.set(id, driver);
    return driver;
  }

  /** Whether containers of the network are reached at their own addresses. */
  isDirect(id: string, family: Family): boolean {
    return this.driverOf(id)?.rules?.modes[family] === "routed";
  }

  /** The networks that the kernel has something of. */
  standing(): NetworkRecord[] {
    return this.list().filter(({ id }) => this.driverOf(id)?.exists());
  }

  /** Removes bridges of ours that no network has any more, as a crash leaves them. */
  async removeStrays(): Promise<void> {
    const known = new Set(this.list().map(({ id }) => this.#aliasOf(id)));
    const prefix = this.#aliasOf("");
    for (const { name, alias } of this.#options.netlink.links()) {
      if (alias?.startsWith(prefix) && !known.has(alias)) await Rtnetlink.deleteLinkInBackground(name);
    }
  }

  /** Takes all networks out of the kernel; they stay in the records. */
  async removeFromKernel(): Promise<void> {
    // The rules go last: they guard what the bridges' settings open.
    for (const { id } of this.standing()) await this.driverOf(id)?.remove();
  }

  async #forget(record: NetworkInfo): Promise<void> {
    const driver = this.driverOf(record.id);
    this.#options.records.remove(record);
    this.#drivers.delete(record.id);
    await driver?.remove();
    if (driver?.rules) await this.enforce();
  }

  #openDriver(record: NetworkRecord): Driver | undefined {
    const { kernel, netlink, uplinkMtu } = this.#options;
    const alias = this.#aliasOf(record.id);
    if (record.isConfigOnly) return undefined;
    switch (record.driver) {
      case "bridge": {
        const settings = bridgeSettings(record, uplinkMtu);
        return new BridgeDriver({ kernel, netlink, settings, alias, networkName: record.name });
      }
      case "macvlan":
      case "ipvlan":
        return new LanDriver({
          netlink,
          settings: lanSettings(record),
          dummy: dummyParent(record.id),
          alias,
        });
      case "host":
      case "null":
        return undefined;
    }
  }

  #aliasOf(id: string): string {
    return `darse ${this.#options.bridge} ${shortId(id)}`;
  }

  #world(): Omit<Parameters<typeof planNetwork>[1], "existing" | "now"> {
    const { netlink, uplinkMtu, networkPools } = this.#options;
    const view = { links: netlink.links(), addresses: netlink.addresses(), routes: netlink.routes() };
    const records = this.list().filter(({ isConfigOnly }) => !isConfigOnly);
    const bridges = records
      .filter(({ driver }) => driver === "bridge")
      .map((record) => bridgeSettings(record, uplinkMtu).name);
    const networks = records.flatMap(({ name, pools }): TakenSubnet[] =>
      pools.map(({ subnet }) => ({ subnet: parseSubnet(subnet), holder: `network ${name}` })),
    );
    return {
      slices: networkSlices(networkPools),
      networks,
      host: takenSubnets(view, new Set(bridges), parseResolvConf(readHostResolvConf()).servers),
      random: () => randomBytes(5),
    };
  }
}

/** Of an endpoint on a bridge. */
function stationsOf({ ipv4, ipv6, mac, hostInterface }: Endpoint): Station[] {
  if (mac === undefined || hostInterface === undefined) return [];
  return [ipv4, ipv6].flatMap((address) =>
    address === undefined ? [] : [{ address, owner: { hostInterface, mac } }],
  );
}

function inUse(
  { id, name }: NetworkInfo,
  users: readonly Pick<Attachment, "id" | "name" | "endpoints">[],
): EngineError {
  const endpoints = users.map((user) => {
    const endpoint = user.endpoints.find(({ networkId }) => networkId === id);
    return `name:"${user.name}" id:"${shortId(endpoint?.endpointId ?? user.id)}"`;
  });
  return new EngineError(
    "forbidden",
    `error while removing network: network ${name} has active endpoints (${endpoints.join(", ")})`,
    { hint: `darse network disconnect -f ${name} ${users[0]?.name}, or end the container` },
  );
}
