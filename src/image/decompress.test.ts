import { execFileSync } from "node:child_process";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "bun:test";
import { errorMessage } from "#base/errors.ts";
import { gather, stream } from "./_fixtures/streams.ts";
import { decompressed } from "./decompress.ts";

const TEXT = Buffer.alloc(200_000, "all work and no play ");
const XZ = execFileSync("xz", ["-c"], { input: TEXT });
const BZIP2 = execFileSync("bzip2", ["-c"], { input: TEXT });

const whole: readonly (readonly [what: string, bytes: Uint8Array, plain: Uint8Array])[] = [
  ["plain", TEXT, TEXT],
  ["empty", new Uint8Array(), new Uint8Array()],
  ["two bytes", Buffer.from("ab"), Buffer.from("ab")],
  ["gzip", gzipSync(TEXT), TEXT],
  [
    "gzip in two members",
    Buffer.concat([gzipSync(TEXT), gzipSync("end")]),
    Buffer.concat([TEXT, Buffer.from("end")]),
  ],
  ["zstd", zstdCompressSync(TEXT), TEXT],
  ["xz", XZ, TEXT],
  ["bzip2", BZIP2, TEXT],
];
for (const [what, bytes, plain] of whole) {
  for (const chunkBytes of [1, 70_000]) {
    test(`decompressed() of ${what}, ${chunkBytes} bytes at a time`, async () => {
      const few = chunkBytes === 1 && bytes.byteLength > 100_000 ? 977 : chunkBytes;
      expect((await gather(decompressed(stream(bytes, few), "it"))).equals(plain)).toBe(true);
    });
  }
}

const broken: readonly (readonly [what: string, bytes: Uint8Array, words: RegExp])[] = [
  ["cut gzip", gzipSync(TEXT).subarray(0, 100), /Cannot read it: its gzip data is broken/],
  [
    "gzip that turns to noise",
    Buffer.concat([gzipSync(TEXT).subarray(0, 50), Buffer.alloc(500, 0xff)]),
    /gzip data is broken/,
  ],
  [
    "zstd that turns to noise",
    Buffer.concat([zstdCompressSync(TEXT).subarray(0, 10), Buffer.alloc(500, 0xff)]),
    /zstd data is broken/,
  ],
  ["cut xz", XZ.subarray(0, 100), /Cannot read it: its xz data is broken \(xz: /],
  ["cut bzip2", BZIP2.subarray(0, 50), /Cannot read it: its bzip2 data is broken \(bzip2: /],
];
for (const [what, bytes, words] of broken) {
  test(`decompressed() of ${what} says so`, async () => {
    expect(await gather(decompressed(stream(bytes), "it")).then(() => "", errorMessage)).toMatch(words);
  });
}

for (const [name, compress] of [
  ["gzip", gzipSync],
  ["zstd", zstdCompressSync],
  ["xz", (plain: Uint8Array) => execFileSync("xz", ["-c"], { input: plain })],
] as const) {
  test(`a ${name} bomb is refused, and the stream it came from closed (case 4)`, async () => {
    let isClosed = false;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* stream(compress(Buffer.alloc(8 * 1024 * 1024)), 100);
      } finally {
        isClosed = true;
      }
    };
    const work = gather(decompressed(source(), "it", { freeBytes: 1024 * 1024, ratio: 20 }));
    expect(await work.then(() => "", errorMessage)).toMatch(
      /Cannot read it: \d+ bytes unpack to more than \d+/,
    );
    expect(isClosed).toBe(true);
  });
}

test("a reader that leaves closes the stream", async () => {
  let isClosed = false;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield gzipSync(TEXT);
    } finally {
      isClosed = true;
    }
  };
  for await (const _chunk of decompressed(source(), "it")) break;
  for (let turn = 0; turn < 100 && !isClosed; turn++) await new Promise(setImmediate);
  expect(isClosed).toBe(true);
});
