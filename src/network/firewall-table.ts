import { EngineError } from "#base/errors.ts";
import { publishRule } from "./publish-rules.ts";
import { renderAddition, renderRemoval, renderRuleset } from "./ruleset.ts";
import type { Publication } from "./publish-rules.ts";

/** Puts rules in place: `applyRules` of `linux/`. */
export type ApplyRules = (text: string) => Promise<void>;

/** How many rules a table holds: `countRules` of `linux/`. */
export type CountRules = (table: string) => number;

export interface FirewallTableOptions {
  /** Also names the table. */
  readonly bridge: string;
  readonly subnet: string;
  readonly apply: ApplyRules;
  readonly count: CountRules;
}

/**
 * The one nftables table of a bridge, and its only writer. Callers of one moment share a transaction.
 *
 * Ports that come are added to the table in place; for everything else it is written anew, whole. The difference is
 * 15 ms: a program that took rules away is held by the kernel at its end until no packet can see them any more.
 */
export class FirewallTable {
  readonly #bridge: string;
  readonly #subnet: string;
  readonly #apply: ApplyRules;
  readonly #count: CountRules;
  #wanted: readonly Publication[] = [];
  /** The rules of published ports in force; `undefined` when what is in the kernel is not known. */
  #applied: ReadonlySet<string> | undefined;
  /** The rules the table held when we left it. */
  #left = 0;
  #running: Promise<void> | undefined;

  constructor({ bridge, subnet, apply, count }: FirewallTableOptions) {
    this.#bridge = bridge;
    this.#subnet = subnet;
    this.#apply = apply;
    this.#count = count;
  }

  /** Resolves once these ports, or what came after them, are in force. */
  async publish(publications: readonly Publication[]): Promise<void> {
    this.#wanted = publications;
    await this.ensure();
  }

  /** Resolves once the table is in force. */
  async ensure(): Promise<void> {
    while (!this.#isInForce()) {
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
    if (this.#applied === undefined || this.#count(this.#bridge) < this.#left) this.#applied = undefined;
    return this.#applied !== undefined;
  }

  async remove(): Promise<void> {
    await this.#running;
    this.#wanted = [];
    this.#applied = undefined;
    await this.#apply(renderRemoval(this.#bridge));
  }

  #isInForce(): boolean {
    const { size } = this.#applied ?? new Set();
    return size === this.#wanted.length && this.#missing()?.length === 0;
  }

  /** What is wanted and not in force; `undefined` when that cannot be known. */
  #missing(): Publication[] | undefined {
    const applied = this.#applied;
    return applied && this.#wanted.filter((one) => !applied.has(publishRule(one)));
  }

  async #applyWanted(): Promise<void> {
    const wanted = this.#wanted;
    const missing = this.#missing();
    const isAddition = missing && wanted.length - missing.length === this.#applied?.size;
    // Not known while under way, and after a failure.
    this.#applied = undefined;
    if (!isAddition || !(await this.#add(missing))) await this.#write(wanted);
    this.#left = this.#count(this.#bridge);
    this.#applied = new Set(wanted.map(publishRule));
  }

  /** False when the table is not as we left it, so that it must be written anew. */
  async #add(missing: readonly Publication[]): Promise<boolean> {
    try {
      await this.#apply(renderAddition(this.#bridge, missing));
      // It may have been emptied and not removed.
      return this.#count(this.#bridge) >= this.#left + missing.length;
    } catch (error) {
      if (EngineError.is(error, "internal")) return false;
      throw error;
    }
  }

  async #write(publications: readonly Publication[]): Promise<void> {
    await this.#apply(renderRuleset({ bridge: this.#bridge, subnet: this.#subnet, publications }));
  }
}
