import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { sampleEntry } from "#oci/tar/tar-fixtures.ts";
import { type TarBody, writeTar } from "#oci/tar/tar-writer.ts";
import { unpackLocal } from "./unpack-local.ts";

type Member = readonly [TarEntry, TarBody?];

function file(path: string, text: string, fields: Partial<TarEntry> = {}): Member {
  return [sampleEntry({ path, size: text.length, ...fields }), [Buffer.from(text)]];
}

function link(path: string, linkName: string): Member {
  return [sampleEntry({ path, type: "symlink", linkName })];
}

/** A folder to unpack into, and one beside it that nothing may reach. */
function makeFolders(): { out: string; host: string; path: string } & Disposable {
  const folder = mkdtempDisposableSync(join(tmpdir(), "darse-cp-"));
  const [out, host] = [join(folder.path, "out"), join(folder.path, "host")];
  mkdirSync(out);
  mkdirSync(host);
  writeFileSync(join(host, "file"), "canary");
  return { out, host, path: folder.path, [Symbol.dispose]: () => folder.remove() };
}

async function unpack(directory: string, members: Member[], warn: (text: string) => void = () => undefined) {
  await unpackLocal(writeTar(members), { directory, from: "top", to: "top", keepsOwner: false, warn });
}

const attacks: [fact: string, members: (host: string) => Member[]][] = [
  ["a file below a link to the host", (host) => [link("top", host), file("top/file", "evil")]],
  [
    "a folder over a link to the host",
    (host) => [link("top", host), [sampleEntry({ path: "top", type: "directory" })]],
  ],
  [
    "a hard link through a link to the host",
    (host) => [link("top", host), [sampleEntry({ path: "h", type: "hardlink", linkName: "top/file" })]],
  ],
  ["a path that climbs", () => [file("../host/file", "evil")]],
  [
    "a hard link that climbs",
    () => [[sampleEntry({ path: "h", type: "hardlink", linkName: "../host/file" })]],
  ],
  ["a relative link that climbs", () => [link("top", "../host"), file("top/new", "evil")]],
];
for (const [fact, members] of attacks) {
  test(`${fact} is refused, and nothing outside is touched`, async () => {
    using folders = makeFolders();
    let failure: unknown;
    await unpack(folders.out, members(folders.host)).catch((error: unknown) => (failure = error));
    expect(EngineError.is(failure, "invalid")).toBe(true);
    expect(readFileSync(join(folders.host, "file"), "utf8")).toBe("canary");
    expect(lstatSync(join(folders.host, "file")).nlink).toBe(1);
    expect(readdirSync(folders.host)).toEqual(["file"]);
  });
}

test("a link in the archive replaces a file, and a file a link, without following it", async () => {
  using folders = makeFolders();
  symlinkSync(join(folders.host, "file"), join(folders.out, "top"));
  await unpack(folders.out, [file("top", "mine"), link("other", "/etc/passwd")]);
  expect(lstatSync(join(folders.out, "top")).isFile()).toBe(true);
  expect(readFileSync(join(folders.host, "file"), "utf8")).toBe("canary");
  expect(lstatSync(join(folders.out, "other")).isSymbolicLink()).toBe(true);
});

test("set-id bits do not come along without their owner", async () => {
  using folders = makeFolders();
  await unpack(folders.out, [file("top", "#!", { mode: 0o6755, uid: 1000 })]);
  expect(lstatSync(join(folders.out, "top")).mode & 0o7777).toBe(0o755);
});

test("devices and FIFOs are left out aloud", async () => {
  using folders = makeFolders();
  const warnings: string[] = [];
  const device = { major: 8, minor: 0 };
  await unpack(folders.out, [[sampleEntry({ path: "sda", type: "block", device })]], (text) =>
    warnings.push(text),
  );
  expect(warnings).toEqual(['left out "sda": it is a block special file\n']);
  expect(existsSync(join(folders.out, "sda"))).toBe(false);
});

test("a folder that is swapped for a link to the host between two entries takes no file there", async () => {
  using folders = makeFolders();
  mkdirSync(join(folders.out, "top"));
  const swap = async function* (): AsyncGenerator<Member> {
    yield file("top/first", "1");
    yield file("elsewhere", "leaves top");
    renameSync(join(folders.out, "top"), join(folders.path, "moved"));
    symlinkSync(folders.host, join(folders.out, "top"));
    yield file("top/file", "evil");
  };
  let failure: unknown;
  const target = { directory: folders.out, from: "top", to: "top", keepsOwner: false, warn: () => undefined };
  await unpackLocal(writeTar(swap()), target).catch((error: unknown) => (failure = error));
  expect(EngineError.is(failure, "invalid")).toBe(true);
  expect(readFileSync(join(folders.host, "file"), "utf8")).toBe("canary");
});
