import { expect, test } from "bun:test";
import fc from "fast-check";
import { EngineError } from "#base/errors.ts";
import { encodeName, readName, reverseAddress } from "./domain-name.ts";

const HEADER = Array.from({ length: 12 }, () => 0);

function message(...bytes: number[]): Uint8Array {
  return Uint8Array.of(...HEADER, ...bytes);
}

test("a name is read in lower case, and its end is known", () => {
  expect(readName(message(3, 0x57, 0x65, 0x42, 1, 0x61, 0, 9), 12)).toEqual({ text: "web.a", end: 19 });
  expect(readName(message(0), 12)).toEqual({ text: "", end: 13 });
});

test("a pointer leads to an earlier name, and the end is behind the pointer", () => {
  const bytes = message(1, 0x61, 0, 1, 0x62, 0xc0, 12, 7);
  expect(readName(bytes, 15)).toEqual({ text: "b.a", end: 19 });
});

test("a dot within a label does not look like one between labels", () => {
  expect(readName(message(3, 0x61, 0x2e, 0x62, 0), 12).text).toBe("a\\046b");
});

const MALFORMED: readonly (readonly [string, Uint8Array, number])[] = [
  ["a pointer to itself", message(0xc0, 12), 12],
  ["two pointers to each other", message(0xc0, 14, 0xc0, 12), 14],
  ["a pointer forward", message(0xc0, 16, 0, 0, 1, 0x61, 0), 12],
  ["a pointer into the header", message(0, 0xc0, 4), 13],
  ["a label of an unknown kind", message(0x40, 0x61, 0), 12],
  ["no end", message(3, 0x61, 0x62), 12],
  ["no end after a label", message(1, 0x61), 12],
  ["half a pointer", message(0xc0), 12],
  ["256 bytes", message(...Array.from({ length: 64 }, () => [3, 97, 97, 97]).flat(), 0), 12],
];

for (const [what, bytes, at] of MALFORMED) {
  test(`a name with ${what} is refused`, () => {
    expect(() => readName(bytes, at)).toThrow("Cannot read DNS message");
  });
}

test("any bytes are read or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(600), (bytes, at) => {
      try {
        const { text, end } = readName(bytes, at);
        expect(end).toBeLessThanOrEqual(bytes.length);
        expect(text.length).toBeLessThanOrEqual(4 * 255);
      } catch (error) {
        if (!EngineError.is(error, "invalid")) throw error;
      }
    }),
  );
});

test("what is written is read back", () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);
  fc.assert(
    fc.property(fc.array(label, { maxLength: 3 }), (labels) => {
      const bytes = Uint8Array.of(...HEADER, ...encodeName(labels.join(".")));
      expect(readName(bytes, 12)).toEqual({ text: labels.join("."), end: bytes.length });
    }),
  );
});

test("a label that is too long cannot be written", () => {
  expect(() => encodeName("a".repeat(64))).toThrow("is too long");
});

test("names of the reverse tree stand for addresses", () => {
  expect(reverseAddress("2.0.19.172.in-addr.arpa")).toBe("172.19.0.2");
  const nibbles = "2".concat("0".repeat(23), "df0000b0").split("").join(".");
  expect(reverseAddress(`${nibbles}.ip6.arpa`)).toBe("0b00:00fd:0000:0000:0000:0000:0000:0002");
  for (const other of ["300.0.19.172.in-addr.arpa", "19.172.in-addr.arpa", "web", "x.ip6.arpa"]) {
    expect(reverseAddress(other)).toBeUndefined();
  }
});
