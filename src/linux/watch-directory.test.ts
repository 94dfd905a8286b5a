import { expect, test } from "bun:test";
import { mkdtempDisposableSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./process.ts";
import { watchDirectory } from "./watch-directory.ts";

/** Resolves when `count` of the wanted names were told. */
function collect(path: string, isWanted: (name: string) => boolean, count: number) {
  const names = new Set<string>();
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watchDirectory(path, (name) => {
    if (isWanted(name)) names.add(name);
    if (names.size === count) resolve();
  });
  return { names, done: promise, [Symbol.dispose]: () => watcher[Symbol.dispose]() };
}

test("500 names renamed into a directory in one go are all told", async () => {
  using folder = mkdtempDisposableSync("/tmp/darse-watch-");
  using seen = collect(folder.path, (name) => name.startsWith("exit-"), 500);
  for (let index = 0; index < 500; index += 1) {
    writeFileSync(join(folder.path, `.exit-${index}`), "0");
    renameSync(join(folder.path, `.exit-${index}`), join(folder.path, `exit-${index}`));
    if (index % 3 === 0) rmSync(join(folder.path, `exit-${index}`));
  }
  await seen.done;
  expect(seen.names.size).toBe(500);
});

test("names that another process makes are told", async () => {
  using folder = mkdtempDisposableSync("/tmp/darse-watch-");
  using seen = collect(folder.path, (name) => name.startsWith("x"), 500);
  const script = "i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo 0 > x$i; done";
  await run(["sh", "-c", script], { cwd: folder.path });
  await seen.done;
  expect(seen.names.size).toBe(500);
});

test("a directory that is not there is refused", () => {
  expect(() => watchDirectory("/tmp/darse-no-such-folder", () => undefined)).toThrow("ENOENT");
});
