import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { jsonLines } from "./json-lines.ts";

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array, void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

for (const size of [1, 2, 3, 7, 1000]) {
  test(`values come out whole from pieces of ${size} bytes`, async () => {
    const text = '{"a":"é…"}\r\n\n{"b":[1,2]}\n{"c":null}';
    expect(await Array.fromAsync(jsonLines(pieces(text, size)))).toEqual([
      { a: "é…" },
      { b: [1, 2] },
      { c: null },
    ]);
  });
}

test("a line that is no JSON is corrupt, and is quoted", async () => {
  const values = Array.fromAsync(jsonLines(pieces('{"a":1}\n<html>\n', 4)));
  expect(values).rejects.toThrow('"<html>" is not JSON');
});

test("a line without end is refused before it fills the memory", async () => {
  async function* endless(): AsyncGenerator<Uint8Array, void> {
    for (;;) yield new Uint8Array(1024 * 1024).fill(65);
  }
  expect(Array.fromAsync(jsonLines(endless()))).rejects.toThrow(EngineError);
});
