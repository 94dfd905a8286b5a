import { expect, test } from "bun:test";
import { rfc3339 } from "./clock.ts";
import { Fields, parseJson } from "./decode.ts";
import { EngineError } from "./errors.ts";
import { newId, shortId } from "./ids.ts";
import { KeyedLock } from "./lock.ts";
import { jsonLogger } from "./log.ts";
import { nearMatch } from "./near-match.ts";
import { Semaphore } from "./semaphore.ts";
import { humanSize } from "./sizes.ts";

test("fields are found without regard to case, exact spelling first", () => {
  const fields = new Fields({ name: "folded", Name: "exact" });
  expect(fields.string("Name")).toBe("exact");
  expect(fields.string("NAME")).toBe("folded");
});

test("null is absent", () => {
  const fields = new Fields({ a: null });
  expect(fields.has("a")).toBe(false);
  expect(fields.strings("a")).toBeUndefined();
});

const wrong: [string, (fields: Fields) => unknown, string][] = [
  ["a string", (fields) => fields.string("n"), "Cannot read top.n: it must be a string, found a number"],
  ["a boolean", (fields) => fields.boolean("n"), "Cannot read top.n: it must be a boolean, found a number"],
  [
    "a whole number",
    (fields) => fields.integer("half"),
    "Cannot read top.half: it must be a whole number, found a number",
  ],
  ["an array", (fields) => fields.strings("n"), "Cannot read top.n: it must be an array, found a number"],
  [
    "strings",
    (fields) => fields.strings("list"),
    "Cannot read top.list[1]: it must be a string, found a number",
  ],
  ["an object", (fields) => fields.object("n"), "Cannot read top.n: it must be an object, found a number"],
];

for (const [what, read, message] of wrong) {
  test(`what is not ${what} is refused by its path`, () => {
    expect(() => read(new Fields({ n: 1, half: 0.5, list: ["a", 2] }, "top"))).toThrow(message);
  });
}

test("hostile keys of a map are only text (case 29)", () => {
  const map = new Fields(parseJson('{"m":{"__proto__":"x"}}', "it")).stringMap("m");
  expect([...(map ?? [])]).toEqual([["__proto__", "x"]]);
});

test("what is not JSON is refused by name", () => {
  expect(() => parseJson("{", "the thing")).toThrow("Cannot read the thing: it is not JSON");
});

test("an id is 64 hex characters whose first 12 are not all digits", () => {
  for (let i = 0; i < 100; i++) expect(newId()).toMatch(/^(?![0-9]{12})[0-9a-f]{64}$/);
  expect(shortId(`sha256:${"ab".repeat(32)}`)).toBe("abababababab");
});

test("a lock lets one holder in at a time, in order of asking, and keys do not wait for each other", async () => {
  const lock = new KeyedLock();
  const order: string[] = [];
  const first = await lock.acquire("a");
  const second = lock.run("a", async () => void order.push("second"));
  const third = lock.run("a", async () => void order.push("third"));
  await lock.run("b", async () => void order.push("other"));
  first[Symbol.dispose]();
  await Promise.all([second, third]);
  expect(order).toEqual(["other", "second", "third"]);
});

test("a lock is passed on when its holder fails", async () => {
  const lock = new KeyedLock();
  await expect(lock.run("a", () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  expect(await lock.run("a", async () => "in")).toBe("in");
});

test("a semaphore holds at most its limit", async () => {
  const semaphore = new Semaphore(2);
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await Promise.resolve();
    inside--;
  };
  await Promise.all(Array.from({ length: 10 }, () => semaphore.run(work)));
  expect(most).toBe(2);
});

const near: [string, string | undefined][] = [
  ["RUNN", "RUN"],
  ["COYP", "COPY"],
  ["from", "FROM"],
  ["EXPSE", "EXPOSE"],
  ["BANANA", undefined],
];

for (const [word, want] of near) {
  test(`near match of ${word} is ${want}`, () =>
    expect(nearMatch(word, ["FROM", "RUN", "COPY", "EXPOSE"])).toBe(want));
}

test("sizes are decimal with four digits", () => {
  expect([0, 999, 1000, 1234567, 166182400].map((bytes) => humanSize(bytes))).toEqual([
    "0B",
    "999B",
    "1kB",
    "1.235MB",
    "166.2MB",
  ]);
});

test("no time is the API's zero time", () => {
  expect(rfc3339(undefined)).toBe("0001-01-01T00:00:00Z");
  expect(rfc3339(0)).toBe("1970-01-01T00:00:00.000Z");
});

test("a log line is one JSON object with the fields of its loggers, errors readable", () => {
  const lines: string[] = [];
  const log = jsonLogger((line) => lines.push(line)).with({ room: "store" });
  log.debug("hidden");
  log.error("shown", { error: new EngineError("corrupt", "bad") });
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: "error", message: "shown", room: "store", error: { message: "bad" } },
  ]);
});
