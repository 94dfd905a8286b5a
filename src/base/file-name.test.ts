import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeName, encodeName } from "./file-name.ts";

const table: [string, number[], string][] = [
  ["ASCII", [0x61, 0x62], "ab"],
  ["UTF-8", [0xc3, 0xa9], "é"],
  ["four bytes", [0xf0, 0x9f, 0x98, 0x80], "😀"],
  ["Latin-1", [0x61, 0xe9, 0x62], "a\udce9b"],
  ["a cut sequence", [0xe2, 0x82], "\udce2\udc82"],
  ["a surrogate written in UTF-8", [0xed, 0xb2, 0x80], "\udced\udcb2\udc80"],
  ["a byte order mark", [0xef, 0xbb, 0xbf, 0x61], "\ufeffa"],
];

for (const [what, bytes, text] of table) {
  test(`a name in ${what} becomes text and comes back`, () => {
    expect(decodeName(Uint8Array.from(bytes))).toBe(text);
    expect([...encodeName(text)]).toEqual(bytes);
  });
}

test("every name comes back byte for byte", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect([...encodeName(decodeName(bytes))]).toEqual([...bytes]);
    }),
  );
});
