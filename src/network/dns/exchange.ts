import { randomInt } from "node:crypto";
import { CODE, readUpstreamReply, withId } from "./message.ts";
import type { Upstream } from "./upstreams.ts";

export type Transport = "udp" | "tcp";

/** Messages to and from one upstream. */
export interface UpstreamLink {
  send(message: Uint8Array): void;
  close(): void;
}

export interface UpstreamEvents {
  received(message: Uint8Array): void;
  /** Nothing more will come. */
  failed(): void;
}

/** Opens a way to an upstream, from a port chosen at random; may throw when there is none. */
export type OpenUpstream = (upstream: Upstream, transport: Transport, events: UpstreamEvents) => UpstreamLink;

export interface ExchangeOptions {
  readonly open: OpenUpstream;
  readonly upstreams: readonly Upstream[];
  readonly transport: Transport;
  /** An upstream that is silent for so long is given company by the next. */
  readonly patienceMs: number;
  /** All are given up after this. */
  readonly deadlineMs: number;
}

/**
 * Asks one upstream after the other until one has an answer; an earlier one may still answer while a later one is asked.
 * An upstream that fails or refuses is passed over (moby does so), and what it said is the result when no other does
 * better; `undefined` when nobody answered at all.
 */
export function exchange(message: Uint8Array, options: ExchangeOptions): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  new Exchange(message, options, resolve).askNext();
  return promise;
}

class Exchange {
  readonly #message: Uint8Array;
  readonly #options: ExchangeOptions;
  readonly #resolve: (reply: Uint8Array | undefined) => void;
  readonly #deadline: NodeJS.Timeout;
  readonly #links = new Set<UpstreamLink>();
  #patience: NodeJS.Timeout | undefined;
  #asked = 0;
  #lost = 0;
  #secondBest: Uint8Array | undefined;
  #isOver = false;

  constructor(
    message: Uint8Array,
    options: ExchangeOptions,
    resolve: (reply: Uint8Array | undefined) => void,
  ) {
    this.#message = message;
    this.#options = options;
    this.#resolve = resolve;
    this.#deadline = setTimeout(() => this.#end(this.#secondBest), options.deadlineMs);
    this.#deadline.unref();
  }

  askNext(): void {
    clearTimeout(this.#patience);
    const upstream = this.#options.upstreams[this.#asked];
    if (upstream === undefined) {
      if (this.#lost === this.#asked) this.#end(this.#secondBest);
      return;
    }
    this.#asked++;
    this.#patience = setTimeout(() => this.askNext(), this.#options.patienceMs);
    this.#patience.unref();
    this.#ask(upstream);
  }

  #ask(upstream: Upstream): void {
    const asked = withId(this.#message, randomInt(0x10000));
    let isLost = false;
    const lose = (): void => {
      if (isLost || this.#isOver) return;
      isLost = true;
      this.#lost++;
      this.askNext();
    };
    const received = (message: Uint8Array): void => {
      const reply = readUpstreamReply(message, asked);
      if (reply === undefined || isLost) return;
      if (reply.code !== CODE.failure && reply.code !== CODE.refused) return this.#end(message);
      this.#secondBest ??= message;
      lose();
    };
    try {
      const link = this.#options.open(upstream, this.#options.transport, { received, failed: lose });
      this.#links.add(link);
      link.send(asked);
    } catch {
      // No way there, whatever the kernel's reason: the next may be within reach.
      lose();
    }
  }

  #end(reply: Uint8Array | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#patience);
    for (const link of this.#links) link.close();
    this.#resolve(reply);
  }
}
