import type { ContainerId } from "#base/ids.ts";
import type { Logger } from "#base/log.ts";
import type { LogLimits } from "./log-options.ts";
import { RotatingLog } from "./rotating-log.ts";

export interface LogKeeperOptions {
  /** Has the container's log opened anew by who writes it; false when nobody does any more. */
  reopenLog(id: ContainerId): boolean;
  readonly log: Logger;
}

/** Keeps the logs of all running containers within their limits. */
export class LogKeeper {
  readonly #options: LogKeeperOptions;
  readonly #logs = new Map<ContainerId, RotatingLog>();

  constructor(options: LogKeeperOptions) {
    this.#options = options;
  }

  /** The container writes to `path` from now on. */
  watch(id: ContainerId, path: string, limits: LogLimits): void {
    if (this.#logs.has(id)) return;
    const reopen = (): boolean => this.#options.reopenLog(id);
    this.#logs.set(id, new RotatingLog({ path, limits, reopen, log: this.#options.log }));
  }

  /** The container has ended. Idempotent. */
  async release(id: ContainerId): Promise<void> {
    const log = this.#logs.get(id);
    this.#logs.delete(id);
    await log?.[Symbol.asyncDispose]();
  }

  /** Looks at no log any more; containers go on. */
  async close(): Promise<void> {
    await Promise.all([...this.#logs.keys()].map((id) => this.release(id)));
  }
}
