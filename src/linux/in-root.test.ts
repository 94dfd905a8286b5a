import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { needs } from "../../test/needs.ts";
import { libc } from "./_libc.ts";
import { O_PATH, O_RDONLY, S_IFCHR, S_IFIFO } from "./constants.ts";
import { closeFd } from "./file-descriptor.ts";
import { chmodPinned } from "./in-root.ts";
import type { RootDirectory } from "./root-directory.ts";
import { makeFile, place } from "./testdata/in-root-place.ts";

const codes: [string, string, (root: RootDirectory) => void][] = [
  ["a loop of symlinks", "ELOOP", (root) => root.readFile("loop", 10)],
  ["opening a symlink", "ELOOP", (root) => root.open("canary-link", O_RDONLY)],
  ["a file as a parent", "ENOTDIR", (root) => root.mkdir("dir/file/x", 0o755)],
  ["creating what exists", "EEXIST", (root) => root.createFile("dir/file", 0o644)],
  ["creating over a symlink", "EEXIST", (root) => root.createFile("canary-link", 0o644)],
  ["creating the root", "EEXIST", (root) => root.mkdir("/", 0o755)],
  ["creating dot-dot", "EEXIST", (root) => root.mkdir("dir/..", 0o755)],
  ["removing the root", "EBUSY", (root) => root.removeTree("/")],
  ["removing dot-dot", "EBUSY", (root) => root.removeTree("dir/..")],
  ["a NUL", "EINVAL", (root) => root.mkdir("dir/a\0b", 0o755)],
  ["chmod of a symlink", "EOPNOTSUPP", (root) => root.chmod("canary-link", 0o777)],
  ["a path too long for the kernel", "ENAMETOOLONG", (root) => root.mkdir("x/".repeat(3000), 0o755)],
  ["reading more than asked for", "EFBIG", (root) => root.readFile("dir/file", 3)],
  ["reading a directory as a file", "EINVAL", (root) => root.readFile("dir", 10)],
];

for (const [what, code, call] of codes) {
  test(`${what} is refused with ${code}`, () => {
    using here = place();
    expect(() => call(here.root)).toThrow(code);
  });
}

test("readFile() follows symlinks inside the root", () => {
  using here = place();
  here.root.symlink("/dir/file", "inside");
  expect(Buffer.from(here.root.readFile("inside", 100)).toString()).toBe("inside");
  expect(() => here.root.readFile("canary-link", 100)).toThrow("ENOENT");
});

test("readFile() refuses a FIFO without waiting for its writer", () => {
  using here = place();
  here.root.mknod("fifo", S_IFIFO | 0o600, { major: 0, minor: 0 });
  expect(() => here.root.readFile("fifo", 100)).toThrow("EINVAL");
});

test("an absolute symlink to a directory of the root still works", () => {
  using here = place();
  here.root.symlink("/dir", "var-run");
  makeFile(here.root, "var-run/pid", "1");
  expect(readFileSync(join(here.host, "root/dir/pid"), "utf8")).toBe("1");
});

test("mkdirAll() makes what a symlink points to, inside the root", () => {
  using here = place();
  here.root.symlink("/var/later", "later");
  here.root.mkdirAll("later/a", { mode: 0o755, uid: 0, gid: 0 });
  expect(statSync(join(here.host, "root/var/later/a")).isDirectory()).toBe(true);
});

test("mkdirAll() refuses links in a circle", () => {
  using here = place();
  expect(() => here.root.mkdirAll("loop/a", { mode: 0o755, uid: 0, gid: 0 })).toThrow("ELOOP");
});

needs("root")("mkdirAll() gives the owner to new directories alone", () => {
  using here = place();
  here.root.mkdirAll("dir/a/b", { mode: 0o750, uid: 7, gid: 8 });
  expect(statSync(join(here.host, "root/dir"))).toMatchObject({ uid: 0 });
  expect(statSync(join(here.host, "root/dir/a"))).toMatchObject({ uid: 7, gid: 8, mode: 0o40750 });
});

test("a directory that was removed and made again is not served from memory", () => {
  using here = place();
  makeFile(here.root, "dir/one");
  here.root.removeTree("dir");
  expect(() => here.root.createFile("dir/two", 0o644)).toThrow("ENOENT");
  here.root.mkdir("dir", 0o755);
  makeFile(here.root, "dir/two");
  expect(here.root.readdir("dir")).toEqual(["two"]);
});

test("a directory replaced by a symlink is followed inside the root", () => {
  using here = place();
  makeFile(here.root, "dir/one");
  here.root.rename("dir", "old");
  here.root.symlink("../outside", "dir");
  expect(() => here.root.createFile("dir/two", 0o644)).toThrow("ENOENT");
  expect(readdirSync(join(here.host, "outside"))).toEqual(["canary"]);
});

test("more directories than are remembered all stay right, and no descriptor leaks", () => {
  using here = place();
  const before = readdirSync("/proc/self/fd").length;
  for (let round = 0; round < 2; round += 1) {
    for (let index = 0; index < 100; index += 1) {
      if (round === 0) here.root.mkdir(`d${index}`, 0o755);
      makeFile(here.root, `d${index}/f${round}`);
      here.root.link(
        `d${index}/f${round}`,
        `d${(index * 7) % (round === 0 ? index + 1 : 100)}/l${round}-${index}`,
      );
    }
  }
  here.root.unlink("d0/f0");
  expect(readdirSync("/proc/self/fd").length).toBe(before);
  expect(here.root.readdir("d50")).toContain("f1");
});

test("removeTree() empties deep trees without running out of stack or descriptors", () => {
  using here = place();
  for (const [index] of Array.from({ length: 40 }).entries()) {
    const deep = `deep/${`${index % 2 === 0 ? "d" : "e"}/`.repeat(100)}`;
    here.root.mkdirAll(deep, { mode: 0o755, uid: 0, gid: 0 });
    if (index < 2) makeFile(here.root, `${deep}file`);
  }
  here.root.removeTree("deep");
  expect(here.root.find("deep")).toBeUndefined();
  here.root.removeTree("deep");
});

needs("root")("removeTree() does not enter a mount", () => {
  using here = place();
  const target = join(here.host, "root/dir");
  expect(libc.mount(join(here.host, "outside"), target, "", 4096, "")).toBe(0);
  try {
    expect(() => here.root.removeTree("dir")).toThrow("EXDEV");
    expect(existsSync(join(here.host, "outside/canary"))).toBe(true);
  } finally {
    libc.umount2(target, 2);
  }
});

test("names that are not UTF-8 come back and are removed", () => {
  using here = place();
  makeFile(here.root, "dir/caf\udce9");
  expect(readdirSync(join(here.host, "root/dir"), { encoding: "buffer" })).toContainEqual(
    Buffer.from("caf\xe9", "latin1"),
  );
  expect(here.root.readdir("dir").toSorted()).toEqual(["caf\udce9", "file"]);
  here.root.unlink("dir/caf\udce9");
  expect(here.root.readdir("dir")).toEqual(["file"]);
});

needs("root")("stat() tells all that an archive holds", () => {
  using here = place();
  here.root.mknod("node", S_IFCHR | 0o640, { major: 10, minor: 700 });
  here.root.chown("node", 5, 6);
  here.root.chmod("node", 0o2640);
  here.root.utimes("node", -1_500_000_001n);
  here.root.setXattr("node", "trusted.a", Uint8Array.of(0, 255));
  expect(here.root.stat("node")).toMatchObject({
    type: "character",
    mode: 0o2640,
    uid: 5,
    gid: 6,
    links: 1,
    node: { major: 10, minor: 700 },
    mtimeNs: -1_500_000_001n,
  });
  expect(here.root.listXattrs("node")).toEqual(["trusted.a"]);
  expect([...(here.root.getXattr("node", "trusted.a") ?? [])]).toEqual([0, 255]);
});

needs("root")("a symlink has its own owner, time and attributes", () => {
  using here = place();
  here.root.chown("canary-link", 5, 6);
  here.root.utimes("canary-link", 7_000_000_000n);
  here.root.setXattr("canary-link", "trusted.b", new Uint8Array(0));
  expect(here.root.stat("canary-link")).toMatchObject({
    type: "symlink",
    uid: 5,
    gid: 6,
    mtimeNs: 7_000_000_000n,
  });
  expect(here.root.getXattr("canary-link", "trusted.b")).toEqual(new Uint8Array(0));
  expect(here.root.readlink("canary-link")).toBe(readlinkSync(join(here.host, "root/canary-link")));
});

test("chmod by a pinned descriptor, for older kernels, does the same", () => {
  using here = place();
  const file = here.root.open("dir/file", O_PATH);
  chmodPinned(file, 0o4711, "dir/file");
  expect(here.root.stat("dir/file").mode).toBe(0o4711);
  closeFd(file);
  const link = here.root.open("canary-link", O_PATH);
  expect(() => chmodPinned(link, 0o777, "canary-link")).toThrow("EOPNOTSUPP");
  closeFd(link);
});

test("openParent() gives a descriptor of the caller's own", () => {
  using here = place();
  const { fd, name } = here.root.openParent("dir/file");
  here.root.removeTree("dir");
  expect(name).toBe("file");
  closeFd(fd);
  expect(here.root.openParent("/").name).toBe(".");
});
