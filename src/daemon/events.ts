import type { ApiVersion } from "#api/version.ts";
import type { Clock } from "#base/clock.ts";
import type { EngineEvent } from "#base/event.ts";

/** An event with the moment it happened. */
export interface StampedEvent extends EngineEvent {
  readonly atMs: number;
  /** Nanoseconds since the epoch; rising, so that two events never share one. */
  readonly atNs: bigint;
}

/** How many past events `since` can ask for. [moby daemon/events] */
const HISTORY = 256;

/** Events a slow listener may lag behind before it is cut off. */
const MAX_LAG = 4096;

/** Every event of the engine, as it happens, with a short memory. */
export class EventBus {
  readonly #clock: Clock;
  readonly #history: StampedEvent[] = [];
  readonly #listeners = new Set<(event: StampedEvent) => void>();
  #lastNs = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  emit(event: EngineEvent): void {
    const atMs = this.#clock();
    const now = BigInt(atMs) * 1_000_000n;
    this.#lastNs = now > this.#lastNs ? now : this.#lastNs + 1n;
    const stamped = { ...event, atMs, atNs: this.#lastNs };
    this.#history.push(stamped);
    if (this.#history.length > HISTORY) this.#history.shift();
    for (const listener of this.#listeners) listener(stamped);
  }

  /** Remembered events from `sinceNs` to `untilNs`, oldest first. */
  history(sinceNs: bigint, untilNs?: bigint): StampedEvent[] {
    return this.#history.filter(
      (event) => event.atNs >= sinceNs && (untilNs === undefined || event.atNs <= untilNs),
    );
  }

  /** Events from now on, until `signal` fires; a listener that falls too far behind ends. */
  async *listen(signal: AbortSignal): AsyncGenerator<StampedEvent> {
    const waiting: StampedEvent[] = [];
    let wake = (): void => undefined;
    let isCut = false;
    const listener = (event: StampedEvent): void => {
      if (waiting.length >= MAX_LAG) isCut = true;
      else waiting.push(event);
      wake();
    };
    const onAbort = (): void => wake();
    this.#listeners.add(listener);
    signal.addEventListener("abort", onAbort);
    try {
      while (!signal.aborted && !isCut) {
        const next = waiting.shift();
        if (next) yield next;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/** The event as the Engine API writes it; `status`, `id` and `from` only before 1.52. */
export function encodeEvent(event: StampedEvent, version: ApiVersion): string {
  const hasLegacy = !version.atLeast(1, 52) && (event.type === "container" || event.type === "image");
  const from = event.attributes["image"];
  const document = {
    ...(hasLegacy && { status: event.action, id: event.id }),
    ...(hasLegacy && event.type === "container" && from !== undefined && { from }),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.id, Attributes: event.attributes },
    scope: "local",
    time: Math.floor(event.atMs / 1000),
  };
  // nanoseconds do not fit a double: written by hand
  return `${JSON.stringify(document).slice(0, -1)},"timeNano":${event.atNs}}\n`;
}
