import type { Clock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import { chooseSubnet, gatewayOf } from "./address-pool.ts";
import { decodeNetworkRecord, newNetworkRecord, PREDEFINED, withBridge } from "./network-record.ts";
import type { BridgeFacts, NetworkInfo, NetworkRecord } from "./network-record.ts";
import { formatAddress, overlaps, parseSubnet } from "./subnet.ts";
import type { Subnet } from "./subnet.ts";

/** Records by id; the store's document table is one. */
export interface DocumentTable {
  all(): readonly { readonly id: string; readonly value: unknown }[];
  put(id: string, value: unknown): void;
  remove(id: string): void;
}

export interface BridgeChoice {
  readonly name: string;
  readonly mtu: number;
  readonly pools: readonly Subnet[];
  /** Networks the host reaches otherwise. */
  readonly taken: readonly Subnet[];
  /** Containers are attached: the subnet of the record stays, whatever has changed. */
  readonly isBusy: boolean;
}

/** Every network the engine knows, kept in the database. */
export class NetworkRecords {
  readonly #table: DocumentTable;
  readonly #records = new Map<string, NetworkRecord>();
  /** The default bridge, as it is to be in the kernel. */
  readonly bridge: BridgeFacts;

  /** Reads the table and adds the predefined networks where they are missing. */
  constructor(table: DocumentTable, choice: BridgeChoice, clock: Clock) {
    this.#table = table;
    for (const { value } of table.all()) {
      const record = decodeNetworkRecord(value);
      this.#records.set(record.id, record);
    }
    for (const [name, driver] of Object.entries(PREDEFINED)) {
      if (!this.#byName(name)) this.#save(newNetworkRecord(name, driver, clock()));
    }
    const record = this.get("bridge");
    const subnet = bridgeSubnet(record, choice);
    const gateway = formatAddress(gatewayOf(subnet));
    this.bridge = { name: choice.name, mtu: choice.mtu, subnet, gateway };
    this.#save(withBridge(record, this.bridge));
  }

  list(): NetworkInfo[] {
    return [...this.#records.values()].toSorted((left, right) => left.name.localeCompare(right.name));
  }

  /** By name, id, or the start of an id that only one has. @throws {EngineError} not-found */
  get(nameOrId: string): NetworkRecord {
    const exact = this.#byName(nameOrId) ?? this.#records.get(nameOrId);
    if (exact) return exact;
    const [byPrefix, ...others] = [...this.#records.values()].filter(({ id }) => id.startsWith(nameOrId));
    if (nameOrId === "" || byPrefix === undefined) {
      throw new EngineError("not-found", `network ${nameOrId} not found`, { hint: "darse network ls" });
    }
    if (others.length > 0) throw new EngineError("invalid", `network ${nameOrId} is ambiguous`);
    return byPrefix;
  }

  setLastAddress(record: NetworkRecord, lastAddress: string): void {
    this.#save({ ...record, lastAddress });
  }

  #byName(name: string): NetworkRecord | undefined {
    return [...this.#records.values()].find((record) => record.name === name);
  }

  #save(record: NetworkRecord): void {
    this.#records.set(record.id, record);
    this.#table.put(record.id, record);
  }
}

/** The subnet stays from one start to the next, unless a network of the host has taken its place. */
function bridgeSubnet(record: NetworkRecord, choice: BridgeChoice): Subnet {
  const kept = record.subnet === undefined ? undefined : parseSubnet(record.subnet);
  const isClear = (subnet: Subnet): boolean => !choice.taken.some((other) => overlaps(subnet, other));
  if (kept && (choice.isBusy || isClear(kept))) return kept;
  return chooseSubnet(choice.pools, choice.taken);
}
