import { isDeepStrictEqual } from "node:util";
import { EngineError } from "#base/errors.ts";
import type { NetworkRules } from "./network-rules.ts";
import { openRule, publishRule } from "./publish-rules.ts";
import { renderAddition, renderRemoval, renderRuleset } from "./ruleset.ts";
import type { Publication } from "./publish-rules.ts";

/** Puts rules in place: `applyRules` of `linux/`. */
export type ApplyRules = (text: string) => Promise<void>;

/** How many rules a table holds: `countRules` of `linux/`. */
export type CountRules = (table: string) => number;

export interface FirewallTableOptions {
  /** Its name: that of the default bridge. */
  readonly table: string;
  readonly apply: ApplyRules;
  readonly count: CountRules;
}

/**
 * The one nftables table of an engine, and its only writer. Callers of one moment share a transaction.
 *
 * Ports that come are added to the table in place; for everything else it is written anew, whole. The difference is
 * 15 ms: a program that took rules away is held by the kernel at its end until no packet can see them any more.
 */
export class FirewallTable {
  readonly #table: string;
  readonly #apply: ApplyRules;
  readonly #count: CountRules;
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

  constructor({ table, apply, count }: FirewallTableOptions) {
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
    if (this.#applied === undefined || this.#count(this.#table) < this.#left) this.#applied = undefined;
    return this.#applied !== undefined;
  }

  async remove(): Promise<void> {
    await this.#running;
    this.#wanted = [];
    this.#applied = undefined;
    await this.#apply(renderRemoval(this.#table));
  }

  /** True when the kernel has what is wanted, as far as we know. */
  isInForce(): boolean {
    if (this.#applied === undefined) return false;
    if (this.#appliedFor === this.#wanted) return true;
    return this.#applied.size === this.#wanted.length && this.#missing()?.length === 0;
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
    await this.#apply(renderRuleset({ table: this.#table, networks: this.#networks, publications }));
  }
}

/** Two publications with the same text are the same. */
function ruleText(one: Publication): string {
  return one.isDirect ? openRule(one) : publishRule(one);
}
