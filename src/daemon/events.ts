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

  get listenerCount(): number {
    return this.#listeners.size;
  }

  /**
   * Remembered events since `sinceNs` (none when absent), then each new one, until `signal` fires. Listening begins with
   * the call, so that nothing falls between memory and present. A listener that falls too far behind ends.
   */
  listen(signal: AbortSignal, sinceNs?: bigint): AsyncIterable<StampedEvent> {
    const waiting = sinceNs === undefined ? [] : this.#history.filter((event) => event.atNs >= sinceNs);
    let wake = (): void => undefined;
    let isCut = false;
    const listener = (event: StampedEvent): void => {
      if (waiting.length >= MAX_LAG) isCut = true;
      else waiting.push(event);
      wake();
    };
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => wake(), { once: true });
    const listeners = this.#listeners;
    return (async function* () {
      try {
        for (;;) {
          const next = waiting.shift();
          if (next) yield next;
          else if (signal.aborted || isCut) return;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        listeners.delete(listener);
      }
    })();
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
