import { expect, test } from "bun:test";
import fc from "fast-check";
import { DetachFilter, parseDetachKeys } from "./detach-keys.ts";
import { generateName } from "./name-generator.ts";
import { nextDelayMs, shouldRestart, startsWithEngine } from "./restart-policy.ts";
import type { State } from "./state.ts";
import { humanDuration, statusText } from "./status-text.ts";

const NOW = 1_000_000_000;
const exit = { exitCode: 0, oomKilled: false, startedAt: 0, finishedAt: NOW - 120_000 };

const statuses: [State, string][] = [
  [{ status: "created" }, "Created"],
  [{ status: "running", pid: 1, startedAt: NOW - 3000 }, "Up 3 seconds"],
  [{ status: "paused", pid: 1, startedAt: NOW - 3000 }, "Up 3 seconds (Paused)"],
  [{ status: "exited", ...exit }, "Exited (0) 2 minutes ago"],
  [{ status: "restarting", ...exit, exitCode: 1 }, "Restarting (1) 2 minutes ago"],
  [{ status: "removing", before: { status: "created" } }, "Removal In Progress"],
  [{ status: "dead", exitCode: 1, finishedAt: 0, message: "" }, "Dead"],
];
for (const [state, text] of statuses) {
  test(`status of ${state.status} is "${text}"`, () => expect(statusText(state, NOW)).toBe(text));
}

const durations: [number, string][] = [
  [0.5, "Less than a second"],
  [1, "1 second"],
  [59, "59 seconds"],
  [60, "About a minute"],
  [120, "2 minutes"],
  [3600, "About an hour"],
  [7200, "2 hours"],
  [48 * 3600, "2 days"],
  [15 * 86400, "2 weeks"],
  [90 * 86400, "3 months"],
  [800 * 86400, "2 years"],
];
for (const [seconds, text] of durations) {
  test(`${seconds} s is "${text}"`, () => expect(humanDuration(seconds * 1000)).toBe(text));
}

const policy = (name: string, maximumRetryCount?: number) => ({ name, maximumRetryCount });
const facts = { exitCode: 1, restartCount: 0, wasStoppedByHand: false };
const restarts: [string, ReturnType<typeof policy>, Partial<typeof facts>, boolean, boolean][] = [
  ["no", policy("no"), {}, false, false],
  ["always", policy("always"), {}, true, true],
  ["always after a clean end", policy("always"), { exitCode: 0 }, true, true],
  ["always when stopped by hand", policy("always"), { wasStoppedByHand: true }, false, true],
  ["unless-stopped", policy("unless-stopped"), {}, true, true],
  ["unless-stopped when stopped by hand", policy("unless-stopped"), { wasStoppedByHand: true }, false, false],
  ["on-failure", policy("on-failure"), {}, true, true],
  ["on-failure after a clean end", policy("on-failure"), { exitCode: 0 }, false, false],
  ["on-failure within its count", policy("on-failure", 2), { restartCount: 1 }, true, true],
  ["on-failure at the end of its count", policy("on-failure", 2), { restartCount: 2 }, false, false],
];
for (const [name, rule, given, atExit, atStart] of restarts) {
  test(`policy ${name}: ${atExit ? "" : "no "}restart at exit, ${atStart ? "" : "no "}start with the engine`, () => {
    expect(shouldRestart(rule, { ...facts, ...given })).toBe(atExit);
    expect(startsWithEngine(rule, { ...facts, ...given })).toBe(atStart);
  });
}

test("restart delays double from 100 ms to a minute, and begin anew after a long run", () => {
  const delays = [0, 0, 0].reduce<number[]>((list) => [...list, nextDelayMs(list.at(-1), 500)], []);
  expect(delays).toEqual([100, 200, 400]);
  expect(nextDelayMs(50_000, 0)).toBe(60_000);
  expect(nextDelayMs(60_000, 10_000)).toBe(100);
});

test("a made-up name is an adjective and a surname; a digit helps when it is taken, then the fallback", () => {
  expect(
    generateName(
      () => false,
      "f00",
      () => 0,
    ),
  ).toBe("able_abel");
  const seen: string[] = [];
  const name = generateName(
    (candidate) => seen.push(candidate) > 0,
    "f00",
    () => 3,
  );
  expect(name).toBe("f00");
  expect(seen).toHaveLength(6);
  expect(seen[1]).toMatch(/^[a-z]+_[a-z]+3$/);
});

const keys: [string | undefined, number[]][] = [
  [undefined, [16, 17]],
  ["", [16, 17]],
  ["ctrl-a,b", [1, 98]],
  ["ctrl-@,ctrl-[,ctrl-_", [0, 27, 31]],
];
for (const [text, bytes] of keys) {
  test(`detach keys ${JSON.stringify(text)}`, () => expect([...parseDetachKeys(text)]).toEqual(bytes));
}
for (const text of ["ctrl-", "ctrl-1", "ab", "a,,b"]) {
  test(`"${text}" are no detach keys`, () => {
    expect(() => parseDetachKeys(text)).toThrow(`Invalid detach keys (${text}) provided`);
  });
}

test("the detach filter passes everything before the sequence, however the input is cut", () => {
  const byte = fc.integer({ min: 1, max: 3 });
  fc.assert(
    fc.property(
      fc.array(byte, { minLength: 1, maxLength: 4 }),
      fc.array(fc.array(byte)),
      (sequence, chunks) => {
        const filter = new DetachFilter(Uint8Array.from(sequence));
        const passed: number[] = [];
        let isDetached = false;
        for (const chunk of chunks) {
          const result = filter.push(Uint8Array.from(chunk));
          passed.push(...result.data);
          isDetached = result.isDetached;
          if (isDetached) break;
        }
        const input = chunks.flat();
        const at = input.findIndex((_, index) =>
          sequence.every((key, offset) => input[index + offset] === key),
        );
        if (!isDetached) passed.push(...filter.end());
        expect(isDetached).toBe(at >= 0);
        expect(passed).toEqual(at >= 0 ? input.slice(0, at) : input);
      },
    ),
  );
});
