import type { Clock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import { chooseSubnet, gatewayOf } from "./address-pool.ts";
import type { TakenSubnet } from "./host-view.ts";
import { decodeNetworkRecord, newNetworkRecord, PREDEFINED } from "./network-record.ts";
import type { NetworkInfo, NetworkRecord, NewNetwork } from "./network-record.ts";
import { formatAddress, formatSubnet, overlaps, parseSubnet } from "./subnet.ts";
import type { Subnet } from "./subnet.ts";

/** Records by id; the store's document table is one. */
export interface DocumentTable {
  all(): readonly { readonly id: string; readonly value: unknown }[];
  put(id: string, value: unknown): void;
  remove(id: string): void;
}

/** What the default bridge is to be. */
export interface BridgeChoice {
  readonly name: string;
  readonly mtu: number;
  readonly pools: readonly Subnet[];
  /** Networks the host reaches otherwise. */
  readonly taken: readonly TakenSubnet[];
  /** Containers are attached: the subnet of the record stays, whatever has changed. */
  readonly isBusy: boolean;
}

/** Every network the engine knows, kept in the database. */
export class NetworkRecords {
  readonly #table: DocumentTable;
  readonly #records = new Map<string, NetworkRecord>();
  readonly #byName = new Map<string, NetworkRecord>();

  /** Reads the table and adds the predefined networks where they are missing. */
  constructor(table: DocumentTable, choice: BridgeChoice, clock: Clock) {
    this.#table = table;
    for (const { value } of table.all()) this.#show(decodeNetworkRecord(value));
    for (const [name, driver] of Object.entries(PREDEFINED)) {
      if (!this.#byName.has(name)) this.add({ name, driver, created: clock() });
    }
    this.#save({ ...this.get("bridge"), ...this.#defaultBridge(choice) });
  }

  list(): NetworkRecord[] {
    return [...this.#records.values()].toSorted((left, right) => left.name.localeCompare(right.name));
  }

  /** By id, name, or the start of an id that only one has. @throws {EngineError} not-found, invalid when several have it */
  get(nameOrId: string): NetworkRecord {
    const exact = this.#records.get(nameOrId) ?? this.#byName.get(nameOrId);
    if (exact) return exact;
    const [byPrefix, ...others] = [...this.#records.values()].filter(({ id }) => id.startsWith(nameOrId));
    if (nameOrId === "" || byPrefix === undefined) {
      throw new EngineError("not-found", `network ${nameOrId} not found`, { hint: "darse network ls" });
    }
    if (others.length > 0) {
      const message = `network ${nameOrId} is ambiguous (${others.length + 1} matches found based on ID prefix)`;
      throw new EngineError("invalid", message);
    }
    return byPrefix;
  }

  add(network: NewNetwork): NetworkRecord {
    const record = newNetworkRecord(network);
    this.#save(record);
    return record;
  }

  remove({ id, name }: NetworkInfo): void {
    this.#table.remove(id);
    this.#records.delete(id);
    this.#byName.delete(name);
  }

  /** Of the network's subnet, so that the next one is another. */
  setLastAddress(id: string, subnet: string, address: string): void {
    const record = this.get(id);
    this.#save({ ...record, lastAddresses: { ...record.lastAddresses, [subnet]: address } });
  }

  /** What Docker shows for its default bridge, under our interface's name. */
  #defaultBridge(choice: BridgeChoice): Pick<NetworkInfo, "pools" | "options"> {
    const [kept] = this.get("bridge").pools;
    const subnet = this.#bridgeSubnet(kept && parseSubnet(kept.subnet), choice);
    const gateway = formatAddress(gatewayOf(subnet), subnet.family);
    return {
      pools: [{ subnet: formatSubnet(subnet), gateway, auxiliary: {} }],
      options: {
        "com.docker.network.bridge.default_bridge": "true",
        "com.docker.network.bridge.enable_icc": "true",
        "com.docker.network.bridge.enable_ip_masquerade": "true",
        "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
        "com.docker.network.bridge.name": choice.name,
        "com.docker.network.driver.mtu": String(choice.mtu),
      },
    };
  }

  /** It stays from one start to the next, unless a network of the host has taken its place. */
  #bridgeSubnet(kept: Subnet | undefined, choice: BridgeChoice): Subnet {
    const others = this.list()
      .filter(({ name }) => name !== "bridge")
      .flatMap(({ pools }) => pools.map((pool) => parseSubnet(pool.subnet)));
    const taken = choice.taken.map(({ subnet }) => subnet);
    const isClear = (subnet: Subnet): boolean => !taken.some((other) => overlaps(subnet, other));
    if (kept && (choice.isBusy || isClear(kept))) return kept;
    return chooseSubnet(choice.pools, [...taken, ...others]);
  }

  #save(record: NetworkRecord): void {
    this.#table.put(record.id, record);
    this.#show(record);
  }

  #show(record: NetworkRecord): void {
    this.#records.set(record.id, record);
    this.#byName.set(record.name, record);
  }
}
