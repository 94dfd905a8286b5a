import { expect, test } from "bun:test";
import { ApiVersion } from "#api/version.ts";
import type { EngineEvent } from "#base/event.ts";
import { EngineError } from "#base/errors.ts";
import { eventFilter } from "./event-filter.ts";
import { encodeEvent, EventBus, type StampedEvent } from "./events.ts";

const happened = (action: string, id = "c1"): EngineEvent => ({
  type: "container",
  action,
  id,
  attributes: { name: "web", image: "nginx:1", tier: "front" },
});

const stamped = (action: string): StampedEvent => ({ ...happened(action), atMs: 1500, atNs: 1_500_000_001n });

async function take(events: AsyncIterable<StampedEvent>, count: number): Promise<string[]> {
  const actions: string[] = [];
  for await (const event of events) {
    actions.push(event.action);
    if (actions.length === count) break;
  }
  return actions;
}

test("a listener gets what is remembered, then what comes, nothing lost in between", async () => {
  const bus = new EventBus(() => 1);
  bus.emit(happened("create"));
  const events = bus.listen(AbortSignal.timeout(5000), 0n);
  bus.emit(happened("start"));
  expect(await take(events, 2)).toEqual(["create", "start"]);
  expect(bus.listenerCount).toBe(0);
});

test("without since only new events come", async () => {
  const bus = new EventBus(() => 1);
  bus.emit(happened("create"));
  const events = bus.listen(AbortSignal.timeout(5000));
  bus.emit(happened("start"));
  expect(await take(events, 1)).toEqual(["start"]);
});

test("256 events are remembered, and no two share a nanosecond", async () => {
  const bus = new EventBus(() => 1);
  for (let i = 0; i < 300; i++) bus.emit(happened(String(i)));
  const moments = new Set<bigint>();
  for await (const event of bus.listen(AbortSignal.abort(), 0n)) moments.add(event.atNs);
  expect(moments.size).toBe(256);
});

test("an event is one line, nanoseconds exact, with the old fields before 1.52 only", () => {
  const old: unknown = JSON.parse(encodeEvent(stamped("start"), new ApiVersion(1, 41)));
  expect(old).toMatchObject({
    status: "start",
    id: "c1",
    from: "nginx:1",
    Type: "container",
    Action: "start",
    time: 1,
  });
  const line = encodeEvent(stamped("start"), new ApiVersion(1, 52));
  expect(line).toEndWith(',"timeNano":1500000001}\n');
  expect(line).not.toContain('"status"');
});

const filters: [Record<string, string[]>, boolean][] = [
  [{}, true],
  [{ type: ["container"] }, true],
  [{ type: ["image"] }, false],
  [{ type: ["image", "container"] }, true],
  [{ type: ["container"], event: ["stop"] }, false],
  [{ event: ["exec_start"] }, true],
  [{ container: ["web"] }, true],
  [{ container: ["c"] }, true],
  [{ container: ["other"] }, false],
  [{ image: ["nginx"] }, true],
  [{ image: ["nginx:2"] }, false],
  [{ label: ["tier=front"] }, true],
  [{ label: ["tier=back"] }, false],
  [{ label: ["tier", "name"] }, true],
  [{ volume: ["web"] }, false],
];

for (const [filter, want] of filters) {
  test(`filter ${JSON.stringify(filter)} ${want ? "lets" : "does not let"} the event pass`, () => {
    expect(eventFilter(new Map(Object.entries(filter)))(stamped("exec_start: sh -c true"))).toBe(want);
  });
}

test("an unknown filter is refused", () => {
  expect(() => eventFilter(new Map([["colour", ["red"]]]))).toThrow(EngineError);
});
