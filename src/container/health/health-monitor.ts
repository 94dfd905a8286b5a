import type { Clock } from "#base/clock.ts";
import { errorMessage } from "#base/errors.ts";
import type { Emit } from "#base/event.ts";
import type { ContainerId } from "#base/ids.ts";
import type { KeyedLock } from "#base/lock.ts";
import type { Background } from "../background.ts";
import { containerEvent } from "../events.ts";
import type { Registry } from "../registry.ts";
import { nextCheckAt, type ProbeResult, probed } from "./health.ts";
import { type HealthPlan, healthPlan } from "./health-plan.ts";

/** How a check ended: by itself, or cut short with -1. */
export type ProbeOutcome = Pick<ProbeResult, "exitCode" | "output">;

export interface HealthMonitorOptions {
  readonly registry: Registry;
  readonly lock: KeyedLock;
  readonly background: Background;
  readonly emit: Emit;
  readonly clock: Clock;
  /** Calls `work` once, so much later, unless it is disposed before. */
  readonly after: (delayMs: number, work: () => void) => Disposable;
  /** Runs the command in the container; `signal` kills it. What it throws is a failed check with that text. */
  readonly probe: (id: ContainerId, plan: HealthPlan, signal: AbortSignal) => Promise<ProbeOutcome>;
}

/** One container under watch: it waits for its timer, or a check runs. */
interface Watch {
  readonly over: AbortController;
  timer: Disposable | undefined;
  /** The check that runs; it may outlive the watch by the time its end takes. */
  check: Promise<void>;
}

/** A timer can wait no longer. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/**
 * Runs the health checks of running containers, one at a time in each. Between two checks a container costs a timer and
 * nothing else. What the checks say is kept in the container's record, so that an engine goes on where another ended.
 */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #watches = new Map<ContainerId, Watch>();

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
  }

  /** Begins to check a container that runs; nothing for one without checks. @param from when the interval began */
  watch(id: ContainerId, from: number): void {
    const earlier = this.#watches.get(id);
    this.unwatch(id);
    const watch: Watch = {
      over: new AbortController(),
      timer: undefined,
      check: earlier?.check ?? Promise.resolve(),
    };
    this.#watches.set(id, watch);
    if (!this.#schedule(id, watch, from)) this.#watches.delete(id);
  }

  /** No more checks; one that runs is killed and does not count. */
  unwatch(id: ContainerId): void {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    watch.timer?.[Symbol.dispose]();
    watch.over.abort();
    this.#watches.delete(id);
  }

  close(): void {
    for (const id of this.#watches.keys()) this.unwatch(id);
  }

  /** False when there is nothing to check. */
  #schedule(id: ContainerId, watch: Watch, from: number): boolean {
    const { registry, clock, after, background } = this.#options;
    const record = registry.byId(id);
    const plan = record && healthPlan(record.config);
    if (record?.state.status !== "running" || !record.health || !plan) return false;
    const runStartedAt = record.state.startedAt;
    const delayMs = nextCheckAt(record.health, { plan, runStartedAt, from }) - clock();
    watch.timer = after(Math.min(Math.max(0, delayMs), LONGEST_DELAY_MS), () => {
      const earlier = watch.check;
      watch.check = (async () => {
        await earlier;
        await this.#check(id, watch, { plan, runStartedAt });
      })();
      background.run("checking the health of a container", () => watch.check);
    });
    return true;
  }

  async #check(
    id: ContainerId,
    watch: Watch,
    facts: { readonly plan: HealthPlan; readonly runStartedAt: number },
  ): Promise<void> {
    const { clock, lock, registry, emit } = this.#options;
    const { signal } = watch.over;
    if (signal.aborted) return;
    const startedAt = clock();
    const outcome = await this.#probe(id, facts.plan, signal);
    await lock.run(id, async () => {
      const before = registry.byId(id);
      if (signal.aborted || !before?.health) return;
      const result = { startedAt, endedAt: clock(), ...outcome };
      const health = probed(before.health, result, facts);
      const record = registry.update(id, () => ({ health }));
      if (health.status !== before.health.status) {
        emit(containerEvent(record, `health_status: ${health.status}`));
      }
      this.#schedule(id, watch, result.endedAt);
      await Promise.resolve();
    });
  }

  async #probe(id: ContainerId, plan: HealthPlan, signal: AbortSignal): Promise<ProbeOutcome> {
    try {
      return await this.#options.probe(id, plan, signal);
    } catch (error) {
      return { exitCode: -1, output: errorMessage(error) };
    }
  }
}
