import { expect, test } from "bun:test";
import { createRequest } from "../_fixtures/requests.ts";
import { openSmallWorld } from "../_fixtures/small-world.ts";
import { Background } from "../background.ts";
import { begun, type Health } from "./health.ts";
import { HealthMonitor, type ProbeOutcome } from "./health-monitor.ts";
import { BoundedText } from "./probe.ts";
import { KeyedLock } from "#base/lock.ts";
import { silentLogger } from "#base/log.ts";
import type { ContainerId } from "#base/ids.ts";
import { Registry } from "../registry.ts";
import type { ContainerRecord } from "../record.ts";

/** A monitor over one running container, a clock that a test moves, and checks that a test ends. */
class Bench {
  readonly events: string[] = [];
  readonly probes: { readonly signal: AbortSignal; end(outcome: ProbeOutcome | Error): void }[] = [];
  readonly #timers = new Set<{ at: number; work: () => void }>();
  readonly background = new Background(silentLogger);
  readonly monitor: HealthMonitor;
  readonly registry: Registry;
  readonly id: ContainerId;
  now = 1_000_000;

  constructor(template: ContainerRecord) {
    this.id = template.id;
    this.registry = Registry.load(
      { all: () => [], put: () => undefined, remove: () => undefined },
      silentLogger,
    );
    this.registry.add({
      ...template,
      state: { status: "running", pid: 42, startedAt: this.now },
      health: begun(undefined),
    });
    this.monitor = new HealthMonitor({
      registry: this.registry,
      lock: new KeyedLock(),
      background: this.background,
      emit: ({ action }) => void this.events.push(action),
      clock: () => this.now,
      after: (delayMs, work) => {
        const timer = { at: this.now + delayMs, work };
        this.#timers.add(timer);
        return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
      },
      probe: (_id, _plan, signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<ProbeOutcome>();
        const end = (outcome: ProbeOutcome | Error): void =>
          outcome instanceof Error ? reject(outcome) : resolve(outcome);
        this.probes.push({ signal, end });
        return promise;
      },
    });
  }

  get timers(): number {
    return this.#timers.size;
  }

  get health(): Health | undefined {
    return this.registry.byId(this.id)?.health;
  }

  /** Moves the clock; what is due is done. */
  async pass(ms: number): Promise<void> {
    this.now += ms;
    for (const timer of [...this.#timers].filter(({ at }) => at <= this.now)) {
      this.#timers.delete(timer);
      timer.work();
    }
    await settle();
  }

  async end(index: number, outcome: ProbeOutcome | Error): Promise<void> {
    this.probes[index]?.end(outcome);
    await settle();
  }
}

/** Lets everything that waits for nothing else go on. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

async function bench(healthcheck: object): Promise<Bench> {
  using world = await openSmallWorld();
  const request = createRequest({ Cmd: ["run"], Healthcheck: healthcheck }, {}, { name: "web" });
  const { id } = await world.containers.create(request, new AbortController().signal);
  return new Bench(world.containers.inspect(id));
}

const CHECK = { Test: ["CMD", "x"], Interval: 1e9, Retries: 2 };
const GOOD = { exitCode: 0, output: "" };
const BAD = { exitCode: 3, output: "no" };

test("the first check comes one interval after the start, the next one interval after its end", async () => {
  const one = await bench(CHECK);
  one.monitor.watch(one.id, one.now);
  await one.pass(999);
  expect(one.probes).toHaveLength(0);
  await one.pass(1);
  expect(one.probes).toHaveLength(1);
  await one.pass(5000);
  expect(one.probes).toHaveLength(1);
  await one.end(0, GOOD);
  expect(one.health?.log).toEqual([{ startedAt: 1_001_000, endedAt: 1_006_000, ...GOOD }]);
  await one.pass(999);
  expect(one.probes).toHaveLength(1);
  await one.pass(1);
  expect(one.probes).toHaveLength(2);
});

test("an event tells a change of status, and only a change", async () => {
  const one = await bench(CHECK);
  one.monitor.watch(one.id, one.now);
  for (const [index, outcome] of [BAD, BAD, BAD, GOOD, GOOD].entries()) {
    await one.pass(1000);
    await one.end(index, outcome);
  }
  expect(one.events).toEqual(["health_status: unhealthy", "health_status: healthy"]);
});

test("a check that can not be run is a failure with its reason", async () => {
  const one = await bench(CHECK);
  one.monitor.watch(one.id, one.now);
  await one.pass(1000);
  await one.end(0, new Error("not found in $PATH"));
  expect(one.health).toMatchObject({
    failingStreak: 1,
    log: [{ exitCode: -1, output: "not found in $PATH" }],
  });
});

test("a check under way when nobody watches any more is stopped and does not count", async () => {
  const one = await bench(CHECK);
  one.monitor.watch(one.id, one.now);
  await one.pass(1000);
  one.monitor.unwatch(one.id);
  expect(one.probes[0]?.signal.aborted).toBe(true);
  await one.end(0, GOOD);
  expect(one.health?.log).toEqual([]);
  expect(one.timers).toBe(0);
  expect(one.events).toEqual([]);
});

test("a new watch waits until the check of the old one is gone", async () => {
  const one = await bench(CHECK);
  one.monitor.watch(one.id, one.now);
  await one.pass(1000);
  one.monitor.watch(one.id, one.now);
  await one.pass(1000);
  expect(one.probes).toHaveLength(1);
  await one.end(0, GOOD);
  expect(one.probes).toHaveLength(2);
  await one.end(1, GOOD);
  expect(one.health?.log).toHaveLength(1);
});

test("an interval that began long ago is over at once", async () => {
  const one = await bench(CHECK);
  one.monitor.watch(one.id, one.now - 60_000);
  await one.pass(0);
  expect(one.probes).toHaveLength(1);
});

test("an interval longer than a timer can wait is no busy loop", async () => {
  const one = await bench({ ...CHECK, Interval: 1e9 * 3600 * 24 * 90 });
  one.monitor.watch(one.id, one.now);
  await one.pass(2 ** 31 - 2);
  expect(one.probes).toHaveLength(0);
});

test("a container without checks costs no timer", async () => {
  const one = await bench({ Test: ["NONE"] });
  one.monitor.watch(one.id, one.now);
  expect(one.timers).toBe(0);
});

test("close stops every timer and check", async () => {
  const one = await bench(CHECK);
  one.monitor.watch(one.id, one.now);
  one.monitor.close();
  expect(one.timers).toBe(0);
});

test("output is cut at its limit, and bytes that are no text do no harm", () => {
  const text = new BoundedText(4);
  text.append(Buffer.from([0x61, 0xff]));
  text.append(Buffer.from("bcdef"));
  text.append(Buffer.from("ghi"));
  expect(text.toString()).toBe("a\ufffdbc...");
  const whole = new BoundedText(4);
  whole.append(Buffer.from("abcd"));
  expect(whole.toString()).toBe("abcd");
});
