import { expect, test } from "bun:test";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { needs } from "../../test/needs.ts";
import { S_IFIFO } from "./constants.ts";
import { closeFd } from "./file-descriptor.ts";
import { openRoot } from "./in-root.ts";
import type { RootDirectory } from "./root-directory.ts";
import { place } from "./testdata/in-root-place.ts";

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

needs("root")("a magic link is refused even below a mounted proc", () => {
  using root = openRoot("/");
  expect(() => root.readFile("/proc/self/exe", 1 << 30)).toThrow("ELOOP");
  expect(() => root.stat("/proc/self/root/etc/passwd")).toThrow("ELOOP");
});

/** Many of these calls must fail; what matters is what they leave behind. */
function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    expect(error).toHaveProperty("code");
  }
}
