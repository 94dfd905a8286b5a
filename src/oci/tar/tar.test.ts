import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { failureOf, gather, inChunks, readAll, sampleEntry } from "./tar-fixtures.ts";
import type { TarEntry } from "./tar-entry.ts";
import { encodeHeader, writeTar } from "./tar-writer.ts";

const name = fc
  .array(
    fc.oneof(
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
      fc.stringMatching(/^[a-z]{30,60}$/),
    ),
    {
      minLength: 1,
      maxLength: 8,
    },
  )
  .map((parts) => parts.map((part) => part.replace(/[/\0]/g, "_")).filter((part) => !/^\.{1,2}$/.test(part)))
  .filter((parts) => parts.length > 0)
  .map((parts) => parts.join("/"));

const identity = fc.oneof(fc.nat(70_000), fc.integer({ min: 2_000_000, max: 0xffff_fffe }));
const common = {
  path: name,
  mode: fc.nat(0o7777),
  uid: identity,
  gid: identity,
  mtimeNs: fc.bigInt(-(2n ** 62n), 2n ** 62n),
  xattrs: fc
    .dictionary(
      fc.stringMatching(/^(user|security|trusted)\.[a-z.]{1,20}$/),
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
    )
    .map((record) => new Map(Object.entries(record))),
};
const content = fc.uint8Array({ maxLength: 2000 });
const device = fc.record({ major: fc.nat(4095), minor: fc.nat(1_000_000) });
const member: fc.Arbitrary<readonly [TarEntry, Uint8Array]> = fc.oneof(
  fc
    .tuple(fc.record(common), content)
    .map(([fields, bytes]) => [{ ...fields, type: "file", size: bytes.length } as const, bytes] as const),
  fc
    .record({ ...common, type: fc.constantFrom("symlink" as const, "hardlink" as const), linkName: name })
    .map((fields) => [{ ...fields, size: 0 }, new Uint8Array()] as const),
  fc
    .record({ ...common, type: fc.constantFrom("character" as const, "block" as const), device })
    .map((fields) => [{ ...fields, size: 0 }, new Uint8Array()] as const),
  fc
    .record({ ...common, type: fc.constantFrom("directory" as const, "fifo" as const) })
    .map((fields) => [{ ...fields, size: 0 }, new Uint8Array()] as const),
);

test("what is written is read back, in whatever pieces it comes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(member, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      async (members, size) => {
        const archive = await gather(writeTar(members.map(([entry, bytes]) => [entry, [bytes]] as const)));
        const found = await readAll(inChunks(archive, size));
        expect(found).toEqual(members.map(([entry, bytes]) => ({ entry, content: bytes })));
      },
    ),
    { numRuns: 200 },
  );
});

test("equal entries give equal bytes, whatever the order of their attributes", () => {
  const one = sampleEntry({
    path: "a",
    xattrs: new Map([
      ["user.a", Uint8Array.of(1)],
      ["user.b", Uint8Array.of(2)],
    ]),
  });
  const other = sampleEntry({
    path: "a",
    xattrs: new Map([
      ["user.b", Uint8Array.of(2)],
      ["user.a", Uint8Array.of(1)],
    ]),
  });
  expect(encodeHeader(one)).toEqual(encodeHeader(other));
});

test("a plain entry is one ustar block, without extended header", () => {
  expect(encodeHeader(sampleEntry({ path: `${"d".repeat(150)}/${"n".repeat(100)}` })).length).toBe(512);
});

test("a size beyond eight gigabytes is written and read", async () => {
  const size = 0o77777777777 + 5;
  const entries: TarEntry[] = [];
  const { readTar } = await import("./tar-reader.ts");
  const broken = async (): Promise<void> => {
    for await (const { body: _body, ...entry } of readTar(
      inChunks(encodeHeader(sampleEntry({ path: "big", size })), 512),
    ))
      entries.push(entry);
  };
  expect((await failureOf(broken())).message).toMatch("it ends too early");
  expect(entries[0]?.size).toBe(size);
});

test("a body of another length than announced is refused", async () => {
  const archive = writeTar([[sampleEntry({ path: "a", size: 3 }), [new Uint8Array(4)]]]);
  expect((await failureOf(gather(archive))).message).toMatch("announced with 3 bytes");
});

for (const format of ["ustar", "gnu", "posix", "v7", "oldgnu"]) {
  test(`an archive of GNU tar's ${format} format is read as GNU tar lists it`, async () => {
    using folder = temporary();
    execFileSync("sh", ["-c", SCRIPT], { cwd: folder.path });
    const long = format === "v7" || format === "ustar" ? [] : [LONG];
    const names = ["tree/file", "tree/hard", "tree/soft", "tree/empty", ...long];
    execFileSync("tar", [`--format=${format}`, "-cf", "a.tar", "tree/dir", ...names], { cwd: folder.path });
    const found = await readAll(inChunks(readFileSync(join(folder.path, "a.tar")), 10_240));
    const listed = execFileSync("tar", ["-tf", "a.tar"], { cwd: folder.path, encoding: "utf8" })
      .trim()
      .split("\n");
    expect(found.map(({ entry }) => entry.path)).toEqual(listed.map((line) => line.replace(/\/$/, "")));
    const byPath = new Map(found.map((each) => [each.entry.path, each]));
    expect(byPath.get("tree/file")).toMatchObject({
      entry: { type: "file", mode: 0o4751, size: 6 },
      content: new TextEncoder().encode("hello\n"),
    });
    expect(byPath.get("tree/hard")?.entry).toMatchObject({ type: "hardlink", linkName: "tree/file" });
    expect(byPath.get("tree/soft")?.entry).toMatchObject({ type: "symlink", linkName: "file" });
    expect(byPath.get("tree/dir")?.entry).toMatchObject({ type: "directory", mode: 0o755 });
    const time = format === "posix" ? 1_700_000_000_250_000_000n : 1_700_000_000_000_000_000n;
    expect(byPath.get("tree/empty")?.entry.mtimeNs).toBe(time);
  });
}

test("GNU tar lists and extracts what is written", async () => {
  using folder = temporary();
  const long = `${"sub/".repeat(30)}${"é".repeat(60)}`;
  const archive = await gather(
    writeTar([
      [sampleEntry({ path: "d", type: "directory", mode: 0o755 })],
      [
        sampleEntry({ path: "d/file", mode: 0o600, size: 5, mtimeNs: 1_700_000_000_500_000_000n }),
        [new TextEncoder().encode("hello")],
      ],
      [sampleEntry({ path: "d/link", type: "symlink", linkName: `../${long}` })],
      [sampleEntry({ path: "d/hard", type: "hardlink", linkName: "d/file" })],
      [sampleEntry({ path: long })],
    ]),
  );
  writeFileSync(join(folder.path, "a.tar"), archive);
  const options = { cwd: folder.path, encoding: "utf8" } as const;
  const listed = execFileSync("tar", ["--quoting-style=literal", "-tf", "a.tar"], options);
  expect(listed.trim().split("\n")).toEqual(["d/", "d/file", "d/link", "d/hard", long]);
  execFileSync("tar", ["-xf", "a.tar"], options);
  expect(readFileSync(join(folder.path, "d/hard"), "utf8")).toBe("hello");
  expect(execFileSync("stat", ["-c", "%a %Y %h", "d/file"], options)).toBe("600 1700000000 2\n");
});

const LONG = `tree/${"long/".repeat(24)}${"n".repeat(120)}`;
const SCRIPT = `umask 022; mkdir -p tree/dir && echo hello > tree/file && chmod 4751 tree/file && ln tree/file tree/hard &&
  ln -s file tree/soft && : > tree/empty && touch -d @1700000000.25 tree/empty && mkdir -p "${LONG.replace(/\/n+$/, "")}" && : > "${LONG}"`;

function temporary(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "darse-tar-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
