/** Puts rules in place: `applyRules` of `linux/`. */
export type ApplyRules = (text: string) => Promise<void>;

/**
 * The one nftables table of a bridge: holds which text was applied last, and lets the callers of one moment share a
 * transaction, as each text is the whole table.
 */
export class FirewallTable {
  readonly #apply: ApplyRules;
  #wanted = "";
  #applied = "";
  #running: Promise<void> | undefined;

  constructor(apply: ApplyRules) {
    this.#apply = apply;
  }

  /** Resolves once `text`, or one that came after it, is in force. */
  async set(text: string): Promise<void> {
    this.#wanted = text;
    while (this.#applied !== this.#wanted) {
      this.#running ??= this.#applyWanted().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    }
  }

  /** The next `set` applies its text even when it is the last one again. */
  forget(): void {
    this.#applied = "";
  }

  async #applyWanted(): Promise<void> {
    const text = this.#wanted;
    await this.#apply(text);
    this.#applied = text;
  }
}
