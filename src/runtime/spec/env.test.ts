import { expect, test } from "bun:test";
import { assembleEnv, DEFAULT_PATH } from "./env.ts";

test("env is PATH, HOSTNAME, TERM, the configured variables, HOME, in this order", () => {
  expect(assembleEnv({ hostname: "box", tty: true, home: "/root", env: ["A=1", "B=x=y"] })).toEqual([
    `PATH=${DEFAULT_PATH}`,
    "HOSTNAME=box",
    "TERM=xterm",
    "A=1",
    "B=x=y",
    "HOME=/root",
  ]);
});

test("env keeps a configured PATH in place and a configured HOME", () => {
  expect(assembleEnv({ tty: false, home: "/root", env: ["HOME=/app", "PATH=/bin"] })).toEqual([
    "PATH=/bin",
    "HOME=/app",
  ]);
});

test("env drops a variable named without a value", () => {
  expect(
    assembleEnv({ hostname: "box", tty: true, home: "/", env: ["TERM", "HOSTNAME", "UNKNOWN"] }),
  ).toEqual([`PATH=${DEFAULT_PATH}`, "HOME=/"]);
});

test("env treats hostile keys as text", () => {
  expect(assembleEnv({ tty: false, home: "/", env: ["__proto__=1", "constructor=2", "=odd"] })).toEqual([
    `PATH=${DEFAULT_PATH}`,
    "__proto__=1",
    "constructor=2",
    "=odd",
    "HOME=/",
  ]);
});
