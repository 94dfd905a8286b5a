import {
  mkdirSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect } from "bun:test";
import { isErrno } from "#base/errors.ts";
import { needs } from "../../test/needs.ts";
import { closeFd, writeFd } from "./file-descriptor.ts";
import { openRoot } from "./in-root.ts";
import { spawn } from "./process.ts";
import type { RootDirectory } from "./root-directory.ts";

/** Each makes 14 calls that are raced. */
const ROUNDS = 2_000;

/** Every verb, on names below a path that is now a directory, now a symlink to the host. */
function attack(root: RootDirectory, name: string): void {
  const path = `dir/${name}`;
  const verbs = [
    () => {
      const fd = root.createFile(path, 0o644);
      writeFd(fd, Buffer.from("x"));
      closeFd(fd);
    },
    () => root.chown(path, 12345, 12345),
    () => root.chmod(path, 0o4777),
    () => root.utimes(path, 1n),
    () => root.setXattr(path, "trusted.darse", Buffer.from("x")),
    () => root.link(path, `linked-${name}`),
    () => root.chown("dir", 12345, 12345),
    () => root.chmod("dir", 0o777),
    () => root.chmod("dir/../dir/canary", 0o4777),
    () => root.unlink("dir/canary"),
    () => root.mkdirAll(`dir/sub-${name}/deep`, { mode: 0o777, uid: 1, gid: 1 }),
    () => root.removeTree(`dir/sub-${name}`),
    () => root.unlink(path),
    () => root.unlink(`linked-${name}`),
  ];
  for (const verb of verbs) {
    try {
      verb();
    } catch (error) {
      if (!isErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EEXIST", "EAGAIN", "EXDEV", "EOPNOTSUPP"))
        throw error;
    }
  }
}

needs("root")(
  `a directory flipped to a symlink during ${ROUNDS * 14} calls never lets a call out of the root`,
  async () => {
    using folder = mkdtempDisposableSync("/tmp/darse-race-");
    const outside = join(folder.path, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "canary"), "alive");
    const dir = join(folder.path, "root/dir");
    mkdirSync(dir, { recursive: true });
    symlinkSync(outside, join(folder.path, "root/link"));
    const before = statSync(join(outside, "canary"));
    const racer = spawn(
      [process.execPath, join(import.meta.dirname, "testdata/racer.ts"), dir, join(folder.path, "root/link")],
      { stdout: "pipe" },
    );
    try {
      await racer.stdout?.getReader().read();
      const open = readdirSync("/proc/self/fd").length;
      for (let round = 0; round < ROUNDS; round += 1) {
        // A new door now and then, as a remembered directory can not be raced.
        using root = openRoot(join(folder.path, "root"));
        attack(root, `n${round}`);
      }
      expect(readdirSync("/proc/self/fd").length).toBe(open);
    } finally {
      racer.kill(9);
      await racer.exited;
    }
    expect(readdirSync(outside)).toEqual(["canary"]);
    expect(readFileSync(join(outside, "canary"), "utf8")).toBe("alive");
    expect(statSync(join(outside, "canary"))).toMatchObject({
      mode: before.mode,
      uid: 0,
      mtimeMs: before.mtimeMs,
      nlink: 1,
    });
    expect(statSync(outside)).toMatchObject({ mode: 0o40755, uid: 0 });
  },
  60_000,
);
