import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { gather, readAll, sampleEntry } from "#oci/tar/tar-fixtures.ts";
import type { TarBody } from "#oci/tar/tar-writer.ts";
import { writeTar } from "#oci/tar/tar-writer.ts";
import { needs } from "../../../test/needs.ts";
import { failureOf, NO_SIGNAL, temporaryFolder } from "../_fixtures.ts";
import type { View } from "./archive-request.ts";
import { FileArchiver } from "./file-archiver.ts";
import { parsePath } from "./path-in-root.ts";

const root = needs("root");
const archiver = new FileArchiver();

const paths: [text: string, path: string, base: string, isDirectoryAsked: boolean][] = [
  ["/", "", "/", true],
  ["/.", "", ".", true],
  ["/a/b", "a/b", "b", false],
  ["a/b/", "a/b", "b", true],
  ["/a/b/.", "a/b", ".", true],
  ["/a/../../b", "b", "b", false],
  ["//a//./b", "a/b", "b", false],
];
for (const [text, path, base, isDirectoryAsked] of paths) {
  test(`a path ${text} means /${path}, called ${base}`, () => {
    expect(parsePath(text)).toEqual({ path, base, isDirectoryAsked });
  });
}

function makeContainer(folder: string): View {
  const container = join(folder, "root");
  mkdirSync(join(container, "etc/sub"), { recursive: true });
  mkdirSync(join(container, "run"));
  mkdirSync(join(container, "var"));
  mkdirSync(join(folder, "volume"));
  writeFileSync(join(container, "etc/name"), "inside");
  writeFileSync(join(container, "etc/sub/deep"), "deep");
  linkSync(join(container, "etc/name"), join(container, "etc/second"));
  symlinkSync("/run", join(container, "var/run"));
  symlinkSync("/etc/nothing", join(container, "broken"));
  symlinkSync("loop", join(container, "loop"));
  writeFileSync(join(folder, "volume/seed"), "of the volume");
  return {
    root: container,
    isRootReadOnly: false,
    mounts: [
      { source: join(folder, "volume"), destination: "/data", isReadOnly: false, isRecursive: true },
      { source: join(folder, "volume"), destination: "/fixed", isReadOnly: true, isRecursive: true },
      { source: join(folder, "volume"), destination: "/var/run/vol", isReadOnly: false, isRecursive: true },
    ],
  };
}

async function put(
  view: View,
  path: string,
  entries: (readonly [TarEntry, TarBody?])[],
  refusesTypeChange = true,
): Promise<void> {
  await archiver.extract({ view, path, refusesTypeChange }, writeTar(entries), NO_SIGNAL);
}

function file(path: string, text: string): readonly [TarEntry, TarBody] {
  return [sampleEntry({ path, size: text.length, uid: 7, gid: 8 }), [Buffer.from(text)]];
}

root("a stopped container's volume is seen and written where it would be mounted", async () => {
  using folder = temporaryFolder();
  const view = makeContainer(folder.path);
  await put(view, "/data", [file("new", "written")]);
  expect(readFileSync(folder.at("volume/new"), "utf8")).toBe("written");
  expect(lstatSync(folder.at("volume/new"))).toMatchObject({ uid: 7, gid: 8 });
  expect(existsSync(folder.at("root/data/new"))).toBe(false);
  const { content } = await archiver.pack(view, "/data", NO_SIGNAL);
  expect((await readAll(content)).map(({ entry }) => entry.path)).toEqual(["data", "data/new", "data/seed"]);
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(folder.path);
});

root("absolute link targets lead inside the root: /var/run and a volume mounted below it", async () => {
  using folder = temporaryFolder();
  const view = makeContainer(folder.path);
  await put(view, "/var/run", [file("pid", "1")]);
  expect(readFileSync(folder.at("root/run/pid"), "utf8")).toBe("1");
  await put(view, "/var/run/vol", [file("socket", "s")]);
  expect(readFileSync(folder.at("volume/socket"), "utf8")).toBe("s");
  expect(await archiver.stat(view, "/var/run", NO_SIGNAL)).toMatchObject({
    type: "symlink",
    linkTarget: "/run",
  });
  expect(await archiver.stat(view, "/var/run/", NO_SIGNAL)).toMatchObject({ type: "directory", name: "run" });
  expect(await archiver.stat(view, "/broken", NO_SIGNAL)).toMatchObject({ linkTarget: "/etc/nothing" });
});

const names: [path: string, entries: string[]][] = [
  ["/etc", ["etc", "etc/name", "etc/second", "etc/sub", "etc/sub/deep"]],
  ["/etc/.", [".", "./name", "./second", "./sub", "./sub/deep"]],
  ["/etc/sub/deep", ["deep"]],
  ["/var/run", ["run"]],
];
for (const [path, want] of names) {
  root(`the archive of ${path} has the entries ${want.join(" ")}`, async () => {
    using folder = temporaryFolder();
    const { content } = await archiver.pack(makeContainer(folder.path), path, NO_SIGNAL);
    const entries = await readAll(content);
    expect(entries.map(({ entry }) => entry.path)).toEqual(want);
    const second = entries.find(({ entry }) => entry.path.endsWith("second"))?.entry;
    if (second) expect(second).toMatchObject({ type: "hardlink", linkName: want[1] ?? "" });
  });
}

const refusals: [
  fact: string,
  path: string,
  entries: (readonly [TarEntry, TarBody?])[],
  text: string | RegExp,
][] = [
  ["a read-only volume", "/fixed", [file("x", "x")], "mounted volume is marked read-only"],
  ["a file to extract into", "/etc/name", [file("x", "x")], "extraction point is not a directory"],
  ["a loop of links", "/loop", [file("x", "x")], /ELOOP|too many/i],
  ["a path that is not there", "/nope", [file("x", "x")], /ENOENT|no such file/i],
  [
    "a file over a directory",
    "/etc",
    [file("sub", "x")],
    /^cannot overwrite directory "\/etc\/sub" with non-directory/,
  ],
  [
    "a directory over a file",
    "/etc",
    [[sampleEntry({ path: "name", type: "directory" })]],
    /^cannot overwrite non-directory "\/etc\/name" with directory/,
  ],
  ["a path that climbs", "/etc", [file("../x", "x")], /contains ".."/],
  [
    "a link to what is not there",
    "/etc",
    [[sampleEntry({ path: "l", type: "hardlink", linkName: "none" })]],
    /is no file/,
  ],
];
for (const [fact, path, entries, text] of refusals) {
  root(`${fact} is refused`, async () => {
    using folder = temporaryFolder();
    const failure = await failureOf(put(makeContainer(folder.path), path, entries));
    expect(failure.message).toMatch(text);
  });
}

root("a read-only root is refused, a writable volume in it is not", async () => {
  using folder = temporaryFolder();
  const view = { ...makeContainer(folder.path), isRootReadOnly: true };
  const failure = await failureOf(put(view, "/etc", [file("x", "x")]));
  expect(failure).toMatchObject({ kind: "invalid", message: "container rootfs is marked read-only" });
  await put(view, "/data", [file("x", "x")]);
  expect(readFileSync(folder.at("volume/x"), "utf8")).toBe("x");
});

root("without refusal a file takes a directory's place", async () => {
  using folder = temporaryFolder();
  await put(makeContainer(folder.path), "/etc", [file("sub", "now a file")], false);
  expect(readFileSync(folder.at("root/etc/sub"), "utf8")).toBe("now a file");
});

root("a file that is replaced is a new one: its other names keep the old content", async () => {
  using folder = temporaryFolder();
  await put(makeContainer(folder.path), "/etc", [file("name", "new")]);
  expect(readFileSync(folder.at("root/etc/name"), "utf8")).toBe("new");
  expect(readFileSync(folder.at("root/etc/second"), "utf8")).toBe("inside");
});

root("a device in a container is packed as a device, and not read", async () => {
  using folder = temporaryFolder();
  const view = makeContainer(folder.path);
  await put(view, "/etc", [
    [sampleEntry({ path: "zero", type: "character", device: { major: 1, minor: 5 } })],
  ]);
  const { content } = await archiver.pack(view, "/etc/zero", NO_SIGNAL);
  expect((await readAll(content)).map(({ entry }) => entry)).toMatchObject([{ type: "character", size: 0 }]);
});

root("an archive that is cut off is refused", async () => {
  using folder = temporaryFolder();
  const tar = await gather(writeTar([file("long", "x".repeat(5000))]));
  const source = (async function* () {
    yield tar.subarray(0, 2000);
  })();
  const view = makeContainer(folder.path);
  const failure = await failureOf(
    archiver.extract({ view, path: "/", refusesTypeChange: true }, source, NO_SIGNAL),
  );
  expect(failure).toMatchObject({ kind: "invalid" });
});

root("a copy ends when its signal fires", async () => {
  using folder = temporaryFolder();
  const stop = new AbortController();
  const source = (async function* () {
    yield new Uint8Array(512);
    stop.abort(new Error("the client has gone"));
    await new Promise(() => undefined);
  })();
  const work = archiver.extract(
    { view: makeContainer(folder.path), path: "/", refusesTypeChange: true },
    source,
    stop.signal,
  );
  expect((await failureOf(work)).message).toBe("the client has gone");
});
