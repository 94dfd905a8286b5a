import { expect, test } from "bun:test";
import { silentLogger } from "#base/log.ts";
import { Flusher } from "./flusher.ts";

test("one flush serves all that was added before it, and nothing added meanwhile", async () => {
  const flushed: string[][] = [];
  let flushes = 0;
  const flush = async (): Promise<void> => {
    flushes++;
    if (flushes === 1) flusher.add("late");
  };
  const flusher: Flusher<string> = new Flusher({ flush, delayMs: 60_000, log: silentLogger }, (things) =>
    flushed.push([...things]),
  );
  flusher.add("a");
  flusher.add("b");
  await flusher.flush();
  expect(flushed).toEqual([["a", "b"]]);
  await flusher.flush();
  expect(flushed).toEqual([["a", "b"], ["late"]]);
});

test("what could not be flushed is tried again", async () => {
  const flushed: string[] = [];
  let isFull = true;
  const flush = async (): Promise<void> => {
    if (isFull) throw new Error("no space");
  };
  await using flusher = new Flusher<string>({ flush, delayMs: 60_000, log: silentLogger }, (things) =>
    flushed.push(...things),
  );
  flusher.add("a");
  await flusher.flush();
  expect(flushed).toEqual([]);
  isFull = false;
  await flusher.flush();
  expect(flushed).toEqual(["a"]);
});
