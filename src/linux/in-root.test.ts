import { expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { needs } from "../../test/needs.ts";
import { libc } from "./_libc.ts";
import { O_PATH, O_RDONLY, S_IFCHR, S_IFIFO } from "./constants.ts";
import { closeFd, writeFd } from "./file-descriptor.ts";
import { chmodPinned, openRoot } from "./in-root.ts";
import type { RootDirectory } from "./root-directory.ts";

/** A host folder that holds a canary beside the root, and every kind of way out of the root. */
interface Place extends Disposable {
  readonly host: string;
  readonly root: RootDirectory;
}

function place(): Place {
  const folder = mkdtempDisposableSync("/tmp/darse-in-root-");
  const host = folder.path;
  mkdirSync(join(host, "outside"));
  writeFileSync(join(host, "outside/canary"), "alive", { mode: 0o644 });
  mkdirSync(join(host, "root/dir"), { recursive: true });
  writeFileSync(join(host, "root/dir/file"), "inside");
  symlinkSync(join(host, "outside"), join(host, "root/absolute"));
  symlinkSync("../outside", join(host, "root/relative"));
  symlinkSync("../../../../../../../../..", join(host, "root/up"));
  symlinkSync("/", join(host, "root/top"));
  symlinkSync("loop", join(host, "root/loop"));
  symlinkSync(join(host, "outside/canary"), join(host, "root/canary-link"));
  symlinkSync("dir", join(host, "root/dir-link"));
  const root = openRoot(join(host, "root"));
  return {
    host,
    root,
    [Symbol.dispose]() {
      root[Symbol.dispose]();
      folder.remove();
    },
  };
}

function makeFile(root: RootDirectory, path: string, text = ""): void {
  const fd = root.createFile(path, 0o644);
  writeFd(fd, Buffer.from(text));
  closeFd(fd);
}

const ways: [string, string][] = [
  ["dot-dot", "../outside/new"],
  ["dot-dot behind a directory", "dir/../../outside/new"],
  ["an absolute path", "/outside/new"],
  ["an absolute symlink", "absolute/new"],
  ["a relative symlink", "relative/new"],
  ["a symlink of many dot-dots", "up/outside/new"],
  ["a symlink to the top", "top/outside/new"],
  ["a magic link", "/proc/self/root/new"],
];

const writes: [string, (root: RootDirectory, path: string) => void][] = [
  ["createFile", (root, path) => closeFd(root.createFile(path, 0o644))],
  ["mkdir", (root, path) => root.mkdir(path, 0o755)],
  ["mkdirAll", (root, path) => root.mkdirAll(path, { mode: 0o755, uid: 0, gid: 0 })],
  ["symlink", (root, path) => root.symlink("x", path)],
  ["link", (root, path) => root.link("dir/file", path)],
  ["mknod", (root, path) => root.mknod(path, S_IFIFO | 0o600, { major: 0, minor: 0 })],
  ["rename", (root, path) => root.rename("dir/file", path)],
];

for (const [what, path] of ways) {
  for (const [call, write] of writes) {
    test(`${call}() by ${what} writes nothing outside`, () => {
      using here = place();
      attempt(() => write(here.root, path));
      expect(readdirSync(join(here.host, "outside"))).toEqual(["canary"]);
      expect(existsSync("/new")).toBe(false);
      expect(existsSync("/outside")).toBe(false);
    });
  }
}

const changes: [string, (root: RootDirectory, path: string) => void][] = [
  ["chmod", (root, path) => root.chmod(path, 0o4777)],
  ["chown", (root, path) => root.chown(path, 12345, 12345)],
  ["utimes", (root, path) => root.utimes(path, 1n)],
  ["setXattr", (root, path) => root.setXattr(path, "trusted.darse", Buffer.from("x"))],
  ["unlink", (root, path) => root.unlink(path)],
  ["removeTree", (root, path) => root.removeTree(path)],
  ["rename", (root, path) => root.rename(path, "moved")],
];

const targets = [
  "canary-link",
  "absolute/canary",
  "relative/canary",
  "../outside/canary",
  "up/outside/canary",
];

for (const path of targets) {
  for (const [call, change] of changes) {
    needs("root")(`${call}() on ${path} leaves the host's file as it was`, () => {
      using here = place();
      const canary = join(here.host, "outside/canary");
      const before = statSync(canary);
      attempt(() => change(here.root, path));
      expect(readFileSync(canary, "utf8")).toBe("alive");
      expect(statSync(canary)).toMatchObject({
        mode: before.mode,
        uid: 0,
        mtimeMs: before.mtimeMs,
        nlink: 1,
      });
    });
  }
}

test("a hard link to a symlink links the symlink, not the host's file", () => {
  using here = place();
  here.root.link("canary-link", "hard");
  expect(lstatSync(join(here.host, "root/hard")).isSymbolicLink()).toBe(true);
  expect(statSync(join(here.host, "outside/canary")).nlink).toBe(1);
});

test("a hard link's target is resolved inside the root", () => {
  using here = place();
  expect(() => here.root.link("../outside/canary", "hard")).toThrow("ENOENT");
  expect(() => here.root.link("absolute/canary", "hard")).toThrow("ENOENT");
});

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

needs("root")("a magic link is refused even below a mounted proc", () => {
  using root = openRoot("/");
  expect(() => root.readFile("/proc/self/exe", 1 << 30)).toThrow("ELOOP");
  expect(() => root.stat("/proc/self/root/etc/passwd")).toThrow("ELOOP");
});

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

/** Many of these calls must fail; what matters is what they leave behind. */
function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    expect(error).toHaveProperty("code");
  }
}
