import { chmodSync, copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { run } from "./process.ts";
import { SealedProgram } from "./sealed-program.ts";

async function withProgram(work: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "darse-sealed-"));
  try {
    const path = join(folder, "program");
    copyFileSync("/bin/echo", path);
    await work(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function said(path: string): Promise<string> {
  return new TextDecoder().decode((await run([path, "hello"])).stdout);
}

test("the copy runs, and nobody can write to it", async () => {
  await withProgram(async (path) => {
    using sealed = new SealedProgram(path);
    const copy = sealed.path;
    expect(copy).not.toBe(path);
    expect(await said(copy)).toBe("hello\n");
    expect(() => writeFileSync(openSync(copy, "r+"), "x")).toThrow("EPERM");
    expect(readFileSync(copy).equals(readFileSync(path))).toBe(true);
  });
});

test("it is made once, and anew when the program was upgraded", async () => {
  await withProgram(async (path) => {
    using sealed = new SealedProgram(path);
    const first = sealed.path;
    expect(sealed.path).toBe(first);
    rmSync(path);
    writeFileSync(path, "#!/bin/sh\necho upgraded\n");
    chmodSync(path, 0o755);
    expect(await said(sealed.path)).toBe("upgraded\n");
  });
});

test("a program that is not there is named as it was", () => {
  using sealed = new SealedProgram("/nowhere/crun");
  expect(sealed.path).toBe("/nowhere/crun");
});
