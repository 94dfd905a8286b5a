import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dial } from "#api/dial.ts";
import { EngineError } from "#base/errors.ts";
import { type EngineProgram, startingDial } from "./engine-start.ts";

// A program in the engine's place, started for real: it takes a lock, listens, and notes how it was called.
const ENGINE = `
  import { appendFileSync, openSync } from "node:fs";
  import { createServer } from "node:net";
  const [, , ...args] = process.argv;
  const run = args[args.indexOf("--run") + 1];
  try {
    openSync(run + "/lock", "wx");
  } catch {
    console.error("another engine runs there already");
    process.exit(17);
  }
  appendFileSync(run + "/calls", args.join(" ") + "\\n");
  setTimeout(() => createServer((socket) => socket.end()).listen(run + "/darse.sock"), 50);
  setTimeout(() => process.exit(0), 3000);
`;

async function withFolder(
  work: (run: string, program: EngineProgram) => Promise<void>,
  source = ENGINE,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "darse-start-"));
  const run = join(folder, "run");
  mkdirSync(run);
  const script = join(folder, "engine.ts");
  writeFileSync(script, source);
  try {
    await work(run, { command: [process.execPath, script], isRoot: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the engine is started when nothing answers, and the call goes through", async () => {
  await withFolder(async (run, program) => {
    const connect = startingDial(dial, { root: "/some/root", run }, program);
    const connection = await connect({ kind: "unix", path: join(run, "darse.sock") });
    connection.destroy();
    expect(readFileSync(join(run, "calls"), "utf8")).toBe(`daemon --root /some/root --run ${run}\n`);
  });
});

test("ten at once give one engine", async () => {
  await withFolder(async (run, program) => {
    const connect = startingDial(dial, { root: undefined, run }, program);
    const all = Array.from({ length: 10 }, () => connect({ kind: "unix", path: join(run, "darse.sock") }));
    for (const connection of await Promise.all(all)) connection.destroy();
    expect(readFileSync(join(run, "calls"), "utf8")).toBe(`daemon --run ${run}\n`);
  });
}, 20_000);

test("an engine that ends at once is reported with its code and its last words, without waiting", async () => {
  const source = 'console.error("line 1\\nCannot open the store: disk full"); process.exit(3);';
  await withFolder(async (run, program) => {
    const connect = startingDial(dial, { root: undefined, run }, program);
    const error = await connect({ kind: "unix", path: join(run, "darse.sock") }).catch(
      (failure: unknown) => failure,
    );
    expect(EngineError.is(error, "unavailable")).toBe(true);
    expect(String(error)).toContain("it exited with code 3\nline 1\nCannot open the store: disk full");
  }, source);
});

test("who is not root is told so, and nothing is started", async () => {
  await withFolder(async (run, program) => {
    const connect = startingDial(dial, { root: undefined, run }, { ...program, isRoot: false });
    const error = await connect({ kind: "unix", path: join(run, "darse.sock") }).catch(
      (failure: unknown) => failure,
    );
    expect(EngineError.is(error, "forbidden")).toBe(true);
    expect(error).toMatchObject({ hint: expect.stringContaining("sudo darse") });
  });
});
