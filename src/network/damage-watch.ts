import type { Logger } from "#base/log.ts";
import { watchFirewall } from "#linux/netlink/firewall-watch.ts";

export interface DamageWatchOptions {
  /** The nftables table that is ours. */
  readonly table: string;
  readonly log: Logger;
  /** How soon what is not heard of is looked for. */
  readonly everyMs: number;
  /** Compares what is ours with what is to be; cheap when nothing is amiss. */
  readonly mend: () => void;
}

/**
 * Calls `mend` when others may have taken away what is ours in the kernel: at once when rules of our table go, as a
 * reload of the host's firewall flushes every table, and every now and then for the rest.
 */
export class DamageWatch implements Disposable {
  readonly #options: DamageWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #listening: Promise<void> | undefined;
  #firewall: Disposable | undefined;
  #isOver = false;

  constructor(options: DamageWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => options.mend(), options.everyMs);
    this.#timer.unref();
  }

  /** Hears of rules from now on; the same again is free. */
  async listen(): Promise<void> {
    await (this.#listening ??= this.#listen());
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#firewall?.[Symbol.dispose]();
  }

  async #listen(): Promise<void> {
    const { table, log, mend } = this.#options;
    const watch = await watchFirewall({
      removed: (from) => (from === table ? mend() : undefined),
      missed: mend,
      failed: (error) => log.warn("Cannot hear of changes to the firewall", { error }),
    });
    if (this.#isOver) watch[Symbol.dispose]();
    else this.#firewall = watch;
  }
}
