import { isDeepStrictEqual } from "node:util";
import { EngineError, isErrno } from "#base/errors.ts";
import type { SetElement } from "#linux/netlink/set-elements.ts";
import { renderNeighbourRemoval, renderNeighbourTable, stationElements } from "./neighbour-rules.ts";
import type { Station } from "./neighbour-rules.ts";
import type { NetworkRules } from "./network-rules.ts";
import { openRule, publishRule } from "./publish-rules.ts";
import { renderAddition, renderRemoval, renderRuleset } from "./ruleset.ts";
import type { Publication } from "./publish-rules.ts";

/** Puts rules in place: `applyRules` of `linux/`. */
export type ApplyRules = (text: string) => Promise<void>;

/** How many rules a table holds: `countRules` of `linux/`. */
export type CountRules = (table: string) => number;

/** Changes the elements of sets in the table of the bridge family, in process: `set-elements.ts` of `linux/`. */
export interface ChangeElements {
  add(table: string, elements: readonly SetElement[]): void;
  remove(table: string, elements: readonly SetElement[]): void;
}

export interface FirewallTableOptions {
  /** Its name: that of the default bridge. */
  readonly table: string;
  readonly apply: ApplyRules;
  readonly count: CountRules;
  readonly elements: ChangeElements;
}

/**
 * The engine's nftables tables, one of the family inet and one of the family bridge, and their only writer. Callers of
 * one moment share a transaction.
 *
 * Ports that come are added to the table in place; for everything else it is written anew, whole. The difference is
 * 15 ms: a program that took rules away is held by the kernel at its end until no packet can see them any more.
 */
export class FirewallTable {
  readonly #table: string;
  readonly #apply: ApplyRules;
  readonly #count: CountRules;
  readonly #elements: ChangeElements;
  /** By address. */
  readonly #stations = new Map<string, Station>();
  #networks: readonly NetworkRules[] = [];
  #wanted: readonly Publication[] = [];
  /** The rules of published ports in force; `undefined` when what is in the kernel is not known. */
  #applied: ReadonlySet<string> | undefined;
  /** The list they come from. */
  #appliedFor: readonly Publication[] | undefined;
  /** The rules the table held when we left it. */
  #left = 0;
  /** How often the networks have changed. */
  #changes = 0;
  #running: Promise<void> | undefined;
  /** The tables are in the kernel, as far as we know. */
  #stands = false;
  /** They are being written whole. */
  #isWriting = false;

  constructor({ table, apply, count, elements }: FirewallTableOptions) {
    this.#elements = elements;
    this.#table = table;
    this.#apply = apply;
    this.#count = count;
  }

  /** The networks whose rules the table is to hold; in force with the next `ensure`. */
  setNetworks(networks: readonly NetworkRules[]): void {
    if (isDeepStrictEqual(networks, this.#networks)) return;
    this.#networks = networks;
    this.#applied = undefined;
    this.#changes++;
  }

  /** From now on, or from the next `ensure` on, nobody else may speak in the name of these. */
  admit(stations: readonly Station[]): void {
    const coming = stations.filter(({ address }) => !this.#stations.has(address));
    for (const station of coming) this.#stations.set(station.address, station);
    this.#change(() => this.#elements.add(this.#table, coming.flatMap(stationElements)), coming.length);
  }

  /** They are gone. */
  dismiss(stations: readonly Station[]): void {
    const going = stations.filter(({ address }) => this.#stations.has(address));
    for (const { address } of going) this.#stations.delete(address);
    this.#change(() => this.#elements.remove(this.#table, going.flatMap(stationElements)), going.length);
  }

  /** Resolves once these ports, or what came after them, are in force. */
  async publish(publications: readonly Publication[]): Promise<void> {
    this.#wanted = publications;
    await this.ensure();
  }

  /** Resolves once the table is in force. */
  async ensure(): Promise<void> {
    while (!this.isInForce()) {
      this.#running ??= this.#applyWanted().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    }
  }

  /**
   * Looks whether somebody else took rules out of the table: false when so, and the next call writes it anew. Cheap. What
   * others put into it stays until then.
   */
  check(): boolean {
    // What is under way will be looked at when it is done.
    if (this.#running !== undefined) return true;
    if (this.#applied !== undefined && this.#count(this.#table) >= this.#left) return true;
    this.#applied = undefined;
    this.#stands = false;
    return false;
  }

  async remove(): Promise<void> {
    await this.#running;
    this.#wanted = [];
    this.#applied = undefined;
    this.#stands = false;
    await this.#apply(renderRemoval(this.#table) + renderNeighbourRemoval(this.#table));
  }

  /** True when the kernel has what is wanted, as far as we know. */
  isInForce(): boolean {
    if (this.#applied === undefined) return false;
    if (this.#appliedFor === this.#wanted) return true;
    return this.#applied.size === this.#wanted.length && this.#missing()?.length === 0;
  }

  /** In place where the tables stand; otherwise they will be written anew, with what is known then. */
  #change(inPlace: () => void, count: number): void {
    if (count === 0) return;
    if (this.#isWriting) {
      // What is being written may lack it.
      this.#changes++;
      return;
    }
    if (!this.#stands) return;
    try {
      inPlace();
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      // Somebody else has emptied the table.
      this.#applied = undefined;
      this.#stands = false;
    }
  }

  /** What is wanted and not in force; `undefined` when that cannot be known. */
  #missing(): Publication[] | undefined {
    const applied = this.#applied;
    return applied && this.#wanted.filter((one) => !applied.has(ruleText(one)));
  }

  async #applyWanted(): Promise<void> {
    const wanted = this.#wanted;
    const changes = this.#changes;
    const missing = this.#missing();
    const isAddition = missing && wanted.length - missing.length === this.#applied?.size;
    // Not known while under way, and after a failure.
    this.#applied = undefined;
    if (!isAddition || !(await this.#add(missing))) await this.#write(wanted);
    this.#left = this.#count(this.#table);
    // Networks that changed meanwhile are not in it.
    if (changes !== this.#changes) return;
    this.#applied = new Set(wanted.map(ruleText));
    this.#appliedFor = wanted;
  }

  /** False when the table is not as we left it, so that it must be written anew. */
  async #add(missing: readonly Publication[]): Promise<boolean> {
    try {
      await this.#apply(renderAddition(this.#table, missing));
      // It may have been emptied and not removed.
      return this.#count(this.#table) >= this.#left + missing.length;
    } catch (error) {
      if (EngineError.is(error, "internal")) return false;
      throw error;
    }
  }

  async #write(publications: readonly Publication[]): Promise<void> {
    const rules = renderRuleset({ table: this.#table, networks: this.#networks, publications });
    const gateways = this.#networks.flatMap((network) => network.gateways.map((address) => ({ address })));
    const stations = [...gateways, ...this.#stations.values()];
    this.#stands = false;
    this.#isWriting = true;
    try {
      await this.#apply(rules + renderNeighbourTable(this.#table, stations));
      this.#stands = true;
    } finally {
      this.#isWriting = false;
    }
  }
}

/** Two publications with the same text are the same. */
function ruleText(one: Publication): string {
  return one.isDirect ? openRule(one) : publishRule(one);
}
