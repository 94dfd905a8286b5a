import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type LogPiece, type LogQuery, readLog } from "./log-reader.ts";
import { formatTime, parseRecord, parseTime } from "./log-record.ts";
import { renderPiece } from "./log-text.ts";

const NEVER = new AbortController().signal;
const BOTH = { stdout: true, stderr: true };

interface Written {
  readonly stream: "stdout" | "stderr";
  readonly isPartial: boolean;
  readonly text: string;
}

const timeOf = (index: number): bigint => 1_700_000_000_000_000_000n + BigInt(index) * 1_000_000_007n;
const lineOf = ({ stream, isPartial, text }: Written, index: number): string =>
  `${formatTime(timeOf(index))} ${stream} ${isPartial ? "P" : "F"} ${text}\n`;

async function withLog<T>(text: string | Uint8Array, work: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "darse-log-"));
  try {
    const path = join(folder, "container.log");
    await writeFile(path, text);
    return await work(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function read(path: string, query: Partial<LogQuery> = {}): Promise<LogPiece[]> {
  const pieces: LogPiece[] = [];
  for await (const batch of readLog(path, { ...BOTH, ...query }, undefined, NEVER)) pieces.push(...batch);
  return pieces;
}

const textOf = (pieces: readonly LogPiece[]): string =>
  pieces
    .map(({ stream, data }) => `${stream === "stdout" ? "1" : "2"}${Buffer.from(data).toString()}`)
    .join("");

/** What `tail` must give, found the slow way. */
function expectedTail(
  records: readonly Written[],
  tail: number,
  streams: { stdout: boolean; stderr: boolean },
): string {
  const lines: number[][] = [];
  const open = new Map<string, number[]>();
  records.forEach(({ stream, isPartial }, index) => {
    if (!streams[stream]) return;
    const line = open.get(stream) ?? [];
    if (line.push(index) === 1) lines.push(line);
    if (isPartial) open.set(stream, line);
    else open.delete(stream);
  });
  const byEnd = lines.toSorted((left, right) => (left.at(-1) ?? 0) - (right.at(-1) ?? 0));
  const kept = new Set(tail === 0 ? [] : byEnd.slice(-tail).flat());
  return records
    .filter((_, index) => kept.has(index))
    .map(({ stream, isPartial, text }) => `${stream === "stdout" ? "1" : "2"}${text}${isPartial ? "" : "\n"}`)
    .join("");
}

const written = fc.record({
  stream: fc.constantFrom("stdout" as const, "stderr" as const),
  isPartial: fc.boolean(),
  text: fc.string({ maxLength: 12 }).map((text) => text.replaceAll("\n", " ")),
});

test("the last lines found from the end are those found from the beginning", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(written, { maxLength: 30 }),
      fc.integer({ min: 0, max: 8 }),
      fc.constantFrom({ stdout: true, stderr: true }, { stdout: true, stderr: false }),
      async (records, tail, streams) => {
        await withLog(records.map(lineOf).join(""), async (path) => {
          expect(textOf(await read(path, { ...streams, tail }))).toBe(expectedTail(records, tail, streams));
        });
      },
    ),
    { numRuns: 150 },
  );
});

test("a long log is read whole, and its tail from its end", async () => {
  const records = Array.from({ length: 5000 }, (_, index) => ({
    stream: index % 3 === 0 ? ("stderr" as const) : ("stdout" as const),
    isPartial: false,
    text: `line ${index} ${"x".repeat(index % 200)}`,
  }));
  await withLog(records.map(lineOf).join(""), async (path) => {
    expect(textOf(await read(path))).toBe(expectedTail(records, 5000, BOTH));
    expect(textOf(await read(path, { tail: 3 }))).toBe(expectedTail(records, 3, BOTH));
  });
});

const three: Written[] = ["a", "b", "c"].map((text) => ({ stream: "stdout", isPartial: false, text }));
const ranges: [string, Partial<LogQuery>, string][] = [
  ["since is included", { sinceNs: timeOf(1) }, "1b\n1c\n"],
  ["since to the nanosecond", { sinceNs: timeOf(1) + 1n }, "1c\n"],
  ["until is included", { untilNs: timeOf(1) }, "1a\n1b\n"],
  ["until to the nanosecond", { untilNs: timeOf(1) - 1n }, "1a\n"],
  ["since and until", { sinceNs: timeOf(1), untilNs: timeOf(1) }, "1b\n"],
  ["tail counts within since", { sinceNs: timeOf(1), tail: 5 }, "1b\n1c\n"],
  ["tail counts before until", { untilNs: timeOf(1), tail: 1 }, "1b\n"],
  ["a tail of nothing", { tail: 0 }, ""],
  ["the other stream has nothing", { stdout: false }, ""],
];
for (const [name, query, want] of ranges) {
  test(name, async () => {
    await withLog(three.map(lineOf).join(""), async (path) =>
      expect(textOf(await read(path, query))).toBe(want),
    );
  });
}

test("bytes that are no text pass unchanged", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10);
  const log = Buffer.concat([Buffer.from(`${formatTime(timeOf(0))} stdout F `), bytes, Buffer.from("\n")]);
  await withLog(log, async (path) => {
    expect([...((await read(path))[0]?.data ?? [])]).toEqual([...bytes, 10]);
  });
});

test("a log that is not there is empty, and a record that is half written is left out", async () => {
  expect(await read("/nowhere/container.log")).toEqual([]);
  const log = `${three.map(lineOf).join("")}2023-11-14T22:13:23Z stdout F hal`;
  await withLog(log, async (path) => {
    expect(textOf(await read(path))).toBe("1a\n1b\n1c\n");
    expect(textOf(await read(path, { tail: 1 }))).toBe("1c\n");
  });
});

test("a file that is no log is corrupt", async () => {
  await withLog("hello world\n", async (path) =>
    expect(read(path)).rejects.toThrow("Cannot read a log record"),
  );
});

test("a line of many records is given out in pieces of which only the first begins it", async () => {
  const parts: Written[] = ["aa", "bb", "cc"].map((text, index) => ({
    stream: "stdout",
    isPartial: index < 2,
    text,
  }));
  await withLog(parts.map(lineOf).join(""), async (path) => {
    const pieces = await read(path);
    expect(pieces.map(({ startsLine }) => startsLine)).toEqual([true, false, false]);
    const style = { timestamps: true, details: undefined };
    const text = pieces.map((piece) => Buffer.from(renderPiece(piece, style).data).toString()).join("");
    expect(text).toBe(`${formatTime(timeOf(0))} aabbcc\n`);
  });
});

test("following gives what is written later and ends when the log has", async () => {
  await withLog(three.slice(0, 1).map(lineOf).join(""), async (path) => {
    const ended = Promise.withResolvers<void>();
    const seen: string[] = [];
    for await (const batch of readLog(path, BOTH, { ended: ended.promise }, NEVER)) {
      seen.push(textOf(batch));
      const next = three[seen.length];
      if (next === undefined) ended.resolve();
      else setTimeout(() => void appendFile(path, lineOf(next, seen.length)), 5);
    }
    expect(seen).toEqual(["1a\n", "1b\n", "1c\n"]);
  });
});

test("following goes on in the file that takes the log's name", async () => {
  await withLog(three.slice(0, 1).map(lineOf).join(""), async (path) => {
    const ended = Promise.withResolvers<void>();
    const seen: string[] = [];
    for await (const batch of readLog(path, BOTH, { ended: ended.promise }, NEVER)) {
      seen.push(textOf(batch));
      if (seen.length === 1) {
        await writeFile(`${path}.new`, three.slice(1, 2).map(lineOf).join(""));
        await rename(`${path}.new`, path);
      } else ended.resolve();
    }
    expect(seen).toEqual(["1a\n", "1b\n"]);
  });
});

test("following stops with its signal", async () => {
  await withLog("", async (path) => {
    const gone = new AbortController();
    const reading = (async () => {
      for await (const _ of readLog(path, BOTH, { ended: new Promise(() => undefined) }, gone.signal)) {
        // nothing comes
      }
    })();
    setTimeout(() => gone.abort(new Error("gone")), 5);
    expect(reading).rejects.toThrow("gone");
    await reading.catch(() => undefined);
  });
});

const times: [string, bigint][] = [
  ["2016-10-06T00:17:09.669794202Z", 1475713029669794202n],
  ["2016-10-06T00:17:09.669794202+00:00", 1475713029669794202n],
  ["2016-10-06T02:17:09.5+02:00", 1475713029500000000n],
  ["2016-10-06T00:17:09Z", 1475713029000000000n],
];
for (const [text, ns] of times) test(`${text} is ${ns}`, () => expect(parseTime(text)).toBe(ns));

for (const line of [
  "",
  "x\n",
  "2016-10-06T00:17:09Z stdin F x\n",
  "2016-10-06T00:17:09Z stdout X x\n",
  "2016 stdout",
]) {
  test(`${JSON.stringify(line)} is no record`, () => {
    expect(() => parseRecord(Buffer.from(line))).toThrow();
  });
}
