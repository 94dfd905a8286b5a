import { expect, test } from "bun:test";
import { Fields } from "#base/decode.ts";
import type { HealthcheckConfig } from "#oci/image-config.ts";
import { goDuration } from "./go-duration.ts";
import {
  begun,
  decodeHealth,
  encodeHealth,
  type Health,
  nextCheckAt,
  probed,
  type ProbeResult,
  unwatched,
} from "./health.ts";
import { type HealthPlan, healthPlan } from "./health-plan.ts";

const S = 1e9;
const DEFAULTS = {
  intervalMs: 30_000,
  timeoutMs: 30_000,
  startPeriodMs: 0,
  startIntervalMs: 5_000,
  retries: 3,
};

const plans: [
  string,
  HealthcheckConfig | undefined,
  readonly string[] | undefined,
  HealthPlan | undefined,
][] = [
  ["nothing", undefined, undefined, undefined],
  ["no test", { intervalNs: S }, undefined, undefined],
  ["an empty test", { test: [] }, undefined, undefined],
  ["NONE", { test: ["NONE"] }, undefined, undefined],
  ["an unknown form", { test: ["HTTP", "/"] }, undefined, undefined],
  ["CMD without a command", { test: ["CMD"] }, undefined, undefined],
  ["CMD", { test: ["CMD", "ls", "-l"] }, undefined, { command: ["ls", "-l"], ...DEFAULTS }],
  [
    "CMD-SHELL",
    { test: ["CMD-SHELL", "a && b"] },
    undefined,
    { command: ["/bin/sh", "-c", "a && b"], ...DEFAULTS },
  ],
  [
    "CMD-SHELL with the image's shell",
    { test: ["CMD-SHELL", "a"] },
    ["bash", "-ec"],
    { command: ["bash", "-ec", "a"], ...DEFAULTS },
  ],
  [
    "times and retries",
    {
      test: ["CMD", "a"],
      intervalNs: 2 * S,
      timeoutNs: S / 2,
      startPeriodNs: 60 * S,
      startIntervalNs: S,
      retries: 7,
    },
    undefined,
    {
      command: ["a"],
      intervalMs: 2000,
      timeoutMs: 500,
      startPeriodMs: 60_000,
      startIntervalMs: 1000,
      retries: 7,
    },
  ],
];
for (const [name, healthcheck, shell, plan] of plans) {
  test(`the plan of ${name}`, () => expect(healthPlan({ healthcheck, shell })).toEqual(plan));
}

const plan: HealthPlan = { command: ["x"], ...DEFAULTS, startPeriodMs: 10_000, retries: 2 };
const result = (exitCode: number, startedAt: number): ProbeResult => ({
  startedAt,
  endedAt: startedAt + 1,
  exitCode,
  output: "",
});
/** Checks at these seconds after the start, with these exit codes: what they come to. */
const courses: [string, [number, number][], Health["status"], number][] = [
  ["nothing yet", [], "starting", 0],
  ["one success", [[1, 0]], "healthy", 0],
  [
    "failures within the start period do not count",
    [
      [1, 1],
      [2, 1],
      [9.9, 1],
    ],
    "starting",
    0,
  ],
  ["the first failure after it", [[10, 1]], "starting", 1],
  [
    "failures after it",
    [
      [10, 1],
      [11, -1],
    ],
    "unhealthy",
    2,
  ],
  [
    "a failure after a success counts within it too",
    [
      [1, 0],
      [2, 1],
    ],
    "healthy",
    1,
  ],
  [
    "a success ends a streak",
    [
      [10, 1],
      [11, 0],
      [12, 1],
    ],
    "healthy",
    1,
  ],
  [
    "one success makes it healthy again",
    [
      [10, 1],
      [11, 1],
      [12, 0],
    ],
    "healthy",
    0,
  ],
  [
    "a streak goes on when it is unhealthy",
    [
      [10, 1],
      [11, 2],
      [12, 3],
    ],
    "unhealthy",
    3,
  ],
];
for (const [name, checks, status, failingStreak] of courses) {
  test(name, () => {
    const runStartedAt = 500_000;
    let health = begun(undefined);
    for (const [seconds, code] of checks) {
      health = probed(health, result(code, runStartedAt + seconds * 1000), { plan, runStartedAt });
    }
    expect(health).toMatchObject({ status, failingStreak });
    expect(health.log.map(({ exitCode }) => exitCode)).toEqual(checks.map(([, code]) => code));
  });
}

test("the log keeps the last five, over restarts too", () => {
  let health = begun(undefined);
  for (let i = 0; i < 7; i++) health = probed(health, result(i, i), { plan, runStartedAt: 0 });
  expect(health.log.map(({ exitCode }) => exitCode)).toEqual([2, 3, 4, 5, 6]);
  expect(begun(health)).toEqual({ status: "starting", failingStreak: 0, log: health.log });
});

test("what nobody checks any more is unhealthy", () => {
  expect(unwatched({ status: "healthy", failingStreak: 0, log: [] }).status).toBe("unhealthy");
});

const delays: [string, Health["status"], number, number][] = [
  ["starting, in the start period", "starting", 9_999, 5_000],
  ["starting, after it", "starting", 10_000, 30_000],
  ["healthy, in the start period", "healthy", 1_000, 30_000],
];
for (const [name, status, from, delay] of delays) {
  test(`the wait for the next check: ${name}`, () => {
    expect(nextCheckAt({ status, failingStreak: 0, log: [] }, { plan, runStartedAt: 0, from }) - from).toBe(
      delay,
    );
  });
}

test("a record keeps it", () => {
  const health = probed(
    begun(undefined),
    { ...result(1, 20_000), output: "no\n" },
    { plan, runStartedAt: 0 },
  );
  expect(decodeHealth(new Fields(JSON.parse(JSON.stringify(encodeHealth(health)))))).toEqual(health);
  expect(() => decodeHealth(new Fields({ status: "fine" }))).toThrow('status "fine" is not known');
});

const durations: [number, string][] = [
  [500, "500ms"],
  [0.5, "0.5ms"],
  [1000, "1s"],
  [1500, "1.5s"],
  [30_000, "30s"],
  [90_000, "1m30s"],
  [3_600_000, "1h0m0s"],
];
for (const [ms, text] of durations) test(`${ms} ms is ${text}`, () => expect(goDuration(ms)).toBe(text));
