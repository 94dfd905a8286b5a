import { systemClock } from "#base/clock.ts";
import { EventBus } from "./events.ts";
import type { Route } from "./http/route.ts";
import { type EngineOptions, openRooms, recoverRooms } from "./rooms.ts";
import { routesOf } from "./routes/all.ts";

/**
 * The whole engine: every room constructed once, recovered, served, and disposed in reverse. `rooms.ts` is where to see
 * how they fit together.
 */
export class Engine implements AsyncDisposable {
  readonly routes: readonly Route[];
  /** Says that a client is there, who may want a process started. */
  readonly anticipate: () => void;
  readonly #disposal: AsyncDisposableStack;

  private constructor(routes: readonly Route[], anticipate: () => void, disposal: AsyncDisposableStack) {
    this.routes = routes;
    this.anticipate = anticipate;
    this.#disposal = disposal;
  }

  /** Start-up is recovery: each room compares its records with the world before the first request. */
  static async open(options: EngineOptions): Promise<Engine> {
    await using disposal = new AsyncDisposableStack();
    const clock = systemClock;
    const events = new EventBus(clock);
    const rooms = await openRooms(options, { disposal, clock, emit: events.emit.bind(events) });
    await recoverRooms(rooms, options.kernel);
    const routes = routesOf({ ...options, ...rooms, events, clock });
    return new Engine(routes, () => rooms.runtime.anticipate(), disposal.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disposal.disposeAsync();
  }
}
