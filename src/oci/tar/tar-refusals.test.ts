import { expect, test } from "bun:test";
import fc from "fast-check";
import { EngineError } from "#base/errors.ts";
import { encodeName } from "#base/file-name.ts";
import { failureOf, gather, inChunks, readAll, sampleEntry } from "./tar-fixtures.ts";
import { encodePax } from "./pax.ts";
import { DEFAULT_TAR_LIMITS, pathComponents, type TarEntry, type TarLimits } from "./tar-entry.ts";
import { headerChecksum } from "./tar-header.ts";
import { readTar } from "./tar-reader.ts";
import { encodeHeader, writeTar } from "./tar-writer.ts";

/** A header block with bytes changed and the checksum made right again. */
function patched(entry: TarEntry, changes: Readonly<Record<number, string>>): Uint8Array {
  const block = encodeHeader(entry).slice();
  for (const [offset, text] of Object.entries(changes))
    block.set(Buffer.from(text, "latin1"), Number(offset));
  block.set(Buffer.from(`${headerChecksum(block).toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}

function extended(flag: "x" | "g", records: Readonly<Record<string, string>>): Uint8Array {
  const body = encodePax(new Map(Object.entries(records).map(([key, value]) => [key, Buffer.from(value)])));
  const header = patched(sampleEntry({ path: "p", size: body.length }), { 156: flag });
  return Buffer.concat([header, body, new Uint8Array((512 - (body.length % 512)) % 512)]);
}

function archive(...parts: Uint8Array[]): AsyncIterable<Uint8Array> {
  return inChunks(Buffer.concat([...parts, new Uint8Array(1024)]), 700);
}

const file = encodeHeader(sampleEntry({ path: "f" }));
const refusals: [string, AsyncIterable<Uint8Array>, "invalid" | "unsupported", RegExp][] = [
  [
    "a wrong checksum",
    archive(file.map((byte, index) => (index === 0 ? byte + 1 : byte))),
    "invalid",
    /checksum/,
  ],
  ["text instead of an archive", archive(Buffer.alloc(512, "hello ")), "invalid", /wrong checksum/],
  ["nothing at all", inChunks(new Uint8Array(), 1), "invalid", /it is empty/],
  ["a cut header", inChunks(file.slice(0, 300), 100), "invalid", /too early/],
  ["cut content", inChunks(encodeHeader(sampleEntry({ path: "f", size: 600 })), 512), "invalid", /too early/],
  ["an extended header without entry", inChunks(extended("x", { path: "a" }), 512), "invalid", /too early/],
  ["entries after a zero block", archive(file, new Uint8Array(512), file), "invalid", /block of zeros/],
  ["a path that climbs", archive(encodeHeader(sampleEntry({ path: "../f" }))), "invalid", /contains "\.\."/],
  [
    "a path that climbs in the middle",
    archive(extended("x", { path: "a/../f" }), file),
    "invalid",
    /contains "\.\."/,
  ],
  ["a path with a zero byte", archive(extended("x", { path: "a\0b" }), file), "invalid", /zero byte/],
  [
    "letters in a number",
    archive(patched(sampleEntry({ path: "f" }), { 124: "12x" })),
    "invalid",
    /wrong size/,
  ],
  [
    "a negative size",
    archive(patched(sampleEntry({ path: "f" }), { 124: "\xff".repeat(12) })),
    "invalid",
    /out of range/,
  ],
  [
    "a size beyond counting",
    archive(patched(sampleEntry({ path: "f" }), { 124: `\x80${"\xff".repeat(11)}` })),
    "invalid",
    /out of range/,
  ],
  [
    "an owner that wraps to none",
    archive(extended("x", { uid: "4294967295" }), file),
    "invalid",
    /uid 4294967295/,
  ],
  [
    "an owner beyond 32 bits",
    archive(extended("x", { gid: "4294967296" }), file),
    "invalid",
    /gid 4294967296/,
  ],
  ["a size that is no number", archive(extended("x", { size: "1e3" }), file), "invalid", /wrong size/],
  ["a time that is no number", archive(extended("x", { mtime: "now" }), file), "invalid", /wrong time/],
  [
    "GNU's old sparse files",
    archive(patched(sampleEntry({ path: "f" }), { 156: "S" })),
    "unsupported",
    /sparse/,
  ],
  ["PAX sparse files", archive(extended("x", { "GNU.sparse.major": "1" }), file), "unsupported", /sparse/],
  [
    "an entry type of a vendor",
    archive(patched(sampleEntry({ path: "f" }), { 156: "V" })),
    "unsupported",
    /unknown type/,
  ],
  ["a global header that renames", archive(extended("g", { path: "x" }), file), "unsupported", /global/],
  ["a global header that resizes", archive(extended("g", { size: "9" }), file), "unsupported", /global/],
  [
    "a link without target",
    archive(encodeHeader(sampleEntry({ path: "l", type: "symlink", linkName: "" }))),
    "invalid",
    /link target/,
  ],
];

for (const [what, source, kind, message] of refusals) {
  test(`${what} is refused as ${kind}`, async () => {
    const error = await readAll(source).catch((thrown: unknown) => thrown);
    expect(EngineError.is(error, kind)).toBe(true);
    expect(String(error)).toMatch(message);
  });
}

const many = Array.from({ length: 11 }, (_, index) => encodeHeader(sampleEntry({ path: `f${index}` })));
const bounds: [string, Partial<TarLimits>, AsyncIterable<Uint8Array>, RegExp][] = [
  ["entries", { maxEntries: 10 }, archive(...many), /more than 10 entries/],
  ["depth", { maxDepth: 5 }, archive(encodeHeader(sampleEntry({ path: "a/a/a/a/a/a" }))), /deeper than 5/],
  [
    "path length",
    { maxPathBytes: 20 },
    archive(encodeHeader(sampleEntry({ path: "é".repeat(11) }))),
    /longer than 20/,
  ],
  [
    "extended header",
    { maxPaxBytes: 100 },
    archive(extended("x", { comment: "x".repeat(100) }), file),
    /larger than 100/,
  ],
  [
    "global headers together",
    { maxPaxBytes: 100 },
    archive(extended("g", { a: "x".repeat(60) }), extended("g", { b: "x".repeat(60) }), file),
    /global extended headers/,
  ],
];

for (const [what, limits, source, message] of bounds) {
  test(`the limit on ${what} holds`, async () => {
    const read = async (): Promise<void> => {
      for await (const _ of readTar(source, { ...DEFAULT_TAR_LIMITS, ...limits }));
    };
    expect((await failureOf(read())).message).toMatch(message);
  });
}

test("a header that announces gigabytes of records allocates nothing", async () => {
  const header = patched(sampleEntry({ path: "p", size: 8 * 1024 ** 3 - 1 }), { 156: "x" });
  expect((await failureOf(readAll(archive(header)))).message).toMatch("an extended header of");
});

test("global records give defaults, local ones win, an empty one takes the default back", async () => {
  const source = archive(
    extended("g", { uid: "7", mtime: "5.5", comment: "made by git" }),
    encodeHeader(sampleEntry({ path: "one", uid: 1 })),
    extended("x", { uid: "9" }),
    encodeHeader(sampleEntry({ path: "two", uid: 1 })),
    extended("x", { uid: "" }),
    encodeHeader(sampleEntry({ path: "three", uid: 1 })),
  );
  const found = await readAll(source);
  expect(found.map(({ entry }) => [entry.path, entry.uid, entry.mtimeNs])).toEqual([
    ["one", 7, 5_500_000_000n],
    ["two", 9, 5_500_000_000n],
    ["three", 1, 5_500_000_000n],
  ]);
});

test("a link with a size has no content, as Go reads it", async () => {
  const link = patched(sampleEntry({ path: "l", type: "hardlink", linkName: "f" }), { 124: "00000001000" });
  const found = await readAll(archive(link, file));
  expect(found.map(({ entry }) => entry.path)).toEqual(["l", "f"]);
});

test("a name that is not UTF-8 keeps its bytes", async () => {
  const [found] = await readAll(archive(patched(sampleEntry({ path: "cafe" }), { 3: "\xe9" })));
  expect([...encodeName(found?.entry.path ?? "")]).toEqual([0x63, 0x61, 0x66, 0xe9]);
  const again = await gather(writeTar([[sampleEntry({ path: found?.entry.path ?? "" })]]));
  expect((await readAll(inChunks(again, 512)))[0]?.entry.path).toBe(found?.entry.path ?? "");
  expect(Buffer.from(again).includes(Buffer.from("path=caf\xe9\n", "latin1"))).toBe(true);
});

test("a file whose name ends in a slash is a directory", async () => {
  const found = await readAll(archive(encodeHeader(sampleEntry({ path: "old/" }))));
  expect(found[0]?.entry).toMatchObject({ path: "old", type: "directory" });
});

test("content left unread is passed over, and cannot be read later", async () => {
  const bytes = await gather(
    writeTar([
      [sampleEntry({ path: "a", size: 2000 }), [new Uint8Array(2000)]],
      [sampleEntry({ path: "b" }), []],
    ]),
  );
  const paths: string[] = [];
  const bodies: AsyncIterable<Uint8Array>[] = [];
  for await (const { path, body } of readTar(inChunks(bytes, 100))) {
    paths.push(path);
    bodies.push(body);
  }
  expect(paths).toEqual(["a", "b"]);
  expect((await failureOf(gather(bodies[0] ?? inChunks(bytes, 1)))).message).toMatch(
    "after the entry was left",
  );
});

test("leaving early closes the source", async () => {
  let isClosed = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield file;
    } finally {
      isClosed = true;
    }
  }
  for await (const _ of readTar(source())) break;
  expect(isClosed).toBe(true);
});

test("random damage gives a typed error or an archive, never a crash", async () => {
  const whole = await gather(
    writeTar([
      [
        sampleEntry({ path: "é", size: 10, xattrs: new Map([["user.a", Uint8Array.of(1)]]) }),
        [new Uint8Array(10)],
      ],
      [sampleEntry({ path: "l", type: "symlink", linkName: "x" })],
    ]),
  );
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(damage, fc.nat(whole.length), async (changes, length) => {
      const bytes = whole.slice(0, length);
      for (const [offset, value] of changes) if (offset < length) bytes[offset] = value;
      const error = await readAll(inChunks(bytes, 333)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error === undefined || EngineError.is(error)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

const paths: [string, string[]][] = [
  ["a/b", ["a", "b"]],
  ["/a//./b/", ["a", "b"]],
  ["./", []],
  [".../..a", ["...", "..a"]],
];
for (const [path, components] of paths) {
  test(`the components of "${path}" are ${JSON.stringify(components)}`, () => {
    expect(pathComponents(path)).toEqual(components);
  });
}
