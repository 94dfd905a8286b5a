import { expect, test } from "bun:test";
import { parseWhiteout, type Whiteout } from "./whiteout.ts";

const table: [string, Whiteout | undefined][] = [
  ["a", undefined],
  [".wh", undefined],
  ["wh.a", undefined],
  [".wh.a", { kind: "remove", name: "a" }],
  [".wh..a", { kind: "remove", name: ".a" }],
  [".wh..wh..opq", { kind: "opaque" }],
  [".wh..wh.plnk", { kind: "ignored" }],
  [".wh..wh.aufs", { kind: "ignored" }],
  [".wh.", { kind: "ignored" }],
  [".wh..", { kind: "ignored" }],
  [".wh...", { kind: "ignored" }],
];

for (const [name, meaning] of table) {
  test(`"${name}" is ${meaning?.kind ?? "an ordinary name"}`, () => {
    expect(parseWhiteout(name)).toEqual(meaning);
  });
}
