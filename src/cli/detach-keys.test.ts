import { expect, test } from "bun:test";
import { DetachWatcher, parseDetachKeys } from "./detach-keys.ts";

const table: [string | undefined, number[]][] = [
  [undefined, [16, 17]],
  ["", [16, 17]],
  ["a", [97]],
  ["a,b", [97, 98]],
  ["ctrl-a", [1]],
  ["ctrl-@,ctrl-z,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", [0, 26, 27, 28, 29, 30, 31]],
];
for (const [text, want] of table) {
  test(`detach keys ${text} are ${want.join()}`, () => expect([...parseDetachKeys(text)]).toEqual(want));
}
for (const text of ["ctrl-1", "ab", "ctrl-", "a,,b"]) {
  test(`detach keys ${text} are refused`, () =>
    expect(() => parseDetachKeys(text)).toThrow("Cannot use detach keys"));
}

const typed: [number[][], boolean][] = [
  [[[16, 17]], true],
  [[[16], [17]], true],
  [[[1, 16, 16, 17, 5]], true],
  [[[16, 1, 17]], false],
  [[[17, 16]], false],
];
for (const [chunks, want] of typed) {
  test(`typing ${JSON.stringify(chunks)} ${want ? "detaches" : "does not detach"}`, () => {
    const watcher = new DetachWatcher([16, 17]);
    for (const chunk of chunks) watcher.see(new Uint8Array(chunk));
    expect(watcher.isDetached).toBe(want);
  });
}
