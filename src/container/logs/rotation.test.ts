import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { silentLogger } from "#base/log.ts";
import type { LogLimits } from "./log-options.ts";
import { type LogQuery, readLog } from "./log-reader.ts";
import { listSegments } from "./log-segments.ts";
import { nextLookMs, RotatingLog, settleLog } from "./rotating-log.ts";

const NEVER = new AbortController().signal;
const BOTH = { stdout: true, stderr: true };

/** Writes a log as conmon does, and opens it anew when asked to. */
class Writer implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "darse-rotation-"));
  readonly path = join(this.folder, "container.log");
  rotations = 0;
  written = 0;

  constructor() {
    writeFileSync(this.path, "");
  }

  write(lines: number): void {
    let text = "";
    for (let left = lines; left > 0; left--)
      text += `2026-01-01T00:00:00.000000001Z stdout F ${this.written++}\n`;
    appendFileSync(this.path, text);
  }

  reopen(): boolean {
    this.rotations++;
    writeFileSync(`${this.path}.tmp`, "");
    renameSync(`${this.path}.tmp`, this.path);
    return true;
  }

  rotating(limits: LogLimits, reopen = () => this.reopen()): RotatingLog {
    return new RotatingLog({ path: this.path, limits, reopen, log: silentLogger });
  }

  async read(query: Partial<LogQuery> = {}): Promise<number[]> {
    const text: Uint8Array[] = [];
    for await (const batch of readLog(this.path, { ...BOTH, ...query }, undefined, NEVER)) {
      text.push(...batch.map(({ data }) => data));
    }
    return numbers(text);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

function numbers(text: readonly Uint8Array[]): number[] {
  return Buffer.concat(text).toString().split("\n").filter(Boolean).map(Number);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let left = 2000; left > 0 && !holds(); left--) await Bun.sleep(2);
  expect(holds()).toBe(true);
}

const MANY = { maxBytes: 2000, maxFiles: 1000, compresses: false };

for (const compresses of [false, true]) {
  test(`nothing is lost or doubled over 200 rotations, compressed: ${compresses}; a reader that follows sees all`, async () => {
    using writer = new Writer();
    const ended = Promise.withResolvers<void>();
    const followed: Uint8Array[] = [];
    const following = (async () => {
      for await (const batch of readLog(writer.path, BOTH, { ended: ended.promise }, NEVER)) {
        followed.push(...batch.map(({ data }) => data.slice()));
      }
    })();
    {
      await using _log = writer.rotating({ ...MANY, compresses });
      while (writer.rotations < 200) {
        writer.write(40);
        await Bun.sleep(1);
        if (writer.rotations % 50 === 0) {
          const last = writer.written;
          expect(await writer.read()).toEqual(range(0, last));
        }
      }
      if (compresses)
        await eventually(() => listSegments(writer.path).every((segment) => segment.isCompressed));
    }
    ended.resolve();
    await following;
    expect(await writer.read()).toEqual(range(0, writer.written));
    expect(await writer.read({ tail: 333 })).toEqual(range(writer.written - 333, writer.written));
    expect(numbers(followed)).toEqual(range(0, writer.written));
  }, 30_000);
}

test("no more than the files asked for are kept, and what is kept is the end without a gap", async () => {
  using writer = new Writer();
  await using _log = writer.rotating({ maxBytes: 1000, maxFiles: 3, compresses: false });
  while (writer.rotations < 20) {
    writer.write(10);
    await Bun.sleep(1);
    expect(listSegments(writer.path).length).toBeLessThanOrEqual(3);
  }
  await eventually(() => listSegments(writer.path).length === 2);
  const kept = await writer.read();
  expect(kept).toEqual(range(writer.written - kept.length, writer.written));
});

test("with one file a rotation begins the log anew", async () => {
  using writer = new Writer();
  await using _log = writer.rotating({ maxBytes: 1000, maxFiles: 1, compresses: false });
  writer.write(50);
  await eventually(() => writer.rotations === 1 && listSegments(writer.path).length === 0);
  writer.write(3);
  expect(await writer.read()).toEqual([50, 51, 52]);
});

test("a quiet log is not looked at, and one that grows again is rotated", async () => {
  using writer = new Writer();
  await using _log = writer.rotating(MANY);
  await Bun.sleep(1500);
  writer.write(100);
  await eventually(() => writer.rotations === 1);
});

test("a request that an earlier engine made is not made again when it is answered late", async () => {
  using writer = new Writer();
  writer.write(100);
  {
    let asked = 0;
    await using _log = writer.rotating(MANY, () => ++asked > 0);
    await eventually(() => asked === 1);
  }
  expect(listSegments(writer.path)).toHaveLength(1);
  await using _log = writer.rotating(MANY);
  await Bun.sleep(50);
  writer.write(1);
  writer.reopen();
  writer.write(1);
  await Bun.sleep(100);
  expect(writer.rotations).toBe(1);
  expect(await writer.read()).toEqual(range(0, 102));
});

test("a request that was lost is made again", async () => {
  using writer = new Writer();
  writer.write(100);
  {
    let asked = 0;
    await using _log = writer.rotating(MANY, () => ++asked > 0);
    await eventually(() => asked === 1);
  }
  await using _log = writer.rotating(MANY);
  await eventually(() => writer.rotations === 1);
  expect(await writer.read()).toEqual(range(0, 100));
});

test("when nobody writes any more the log keeps its one name", async () => {
  using writer = new Writer();
  writer.write(100);
  let asked = 0;
  await using _log = writer.rotating(MANY, () => ++asked < 0);
  await eventually(() => asked > 0);
  expect(readdirSync(writer.folder)).toEqual(["container.log"]);
  expect(await writer.read()).toEqual(range(0, 100));
});

test("a number whose request nobody took up is taken back before the next run", () => {
  using writer = new Writer();
  settleLog(writer.path);
  writer.write(1);
  expect(statSync(writer.path).nlink).toBe(1);
});

const looks: [left: number, rate: number, ms: number][] = [
  [20e6, 0, 250],
  [20e6, 500_000, 20],
  [20e6, 1, 250],
  [100, 500_000, 1],
  [-5, 10, 1],
];
for (const [left, rate, ms] of looks) {
  test(`with ${left} bytes left at ${rate} bytes a ms the next look is in ${ms} ms`, () => {
    expect(nextLookMs(left, rate)).toBe(ms);
  });
}
