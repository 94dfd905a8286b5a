import type { Context } from "./context.ts";
import { CommandFailure } from "./command-failure.ts";

/** Signals that a person or a supervisor sends to a program it runs. */
const PROXIED = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"];
const FORCED_AFTER = 3;

/**
 * Hands our signals to a container. Those that come before it runs are kept until `started`. After the third request
 * to end, `gaveUp` rejects, so that a container or an engine that does not answer cannot hold the terminal.
 */
export class SignalProxy implements Disposable {
  readonly gaveUp: Promise<never>;
  readonly #send: (signal: string) => Promise<void>;
  readonly #subscription: Disposable;
  #early: string[] | undefined = [];

  constructor(context: Context, send: (signal: string) => Promise<void>) {
    this.#send = send;
    const { promise, reject } = Promise.withResolvers<never>();
    this.gaveUp = promise;
    promise.catch(() => undefined);
    let requests = 0;
    this.#subscription = context.onSignals(PROXIED, (signal) => {
      if ((signal === "SIGINT" || signal === "SIGTERM") && ++requests === FORCED_AFTER) {
        reject(new CommandFailure("cancelled", "got 3 SIGTERM/SIGINTs, forcefully exiting", { exitCode: 1 }));
      }
      if (this.#early) this.#early.push(signal);
      else this.#deliver(signal);
    });
  }

  started(): void {
    for (const signal of this.#early ?? []) this.#deliver(signal);
    this.#early = undefined;
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  /** A container that has ended meanwhile needs no signal. */
  #deliver(signal: string): void {
    this.#send(signal).catch(() => undefined);
  }
}
