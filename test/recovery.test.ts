import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestEngine } from "./engine.ts";

// Nothing is lost when the engine is killed at a moment of no one's choosing.

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

async function out(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await engine.darse(args);
  if (code !== 0) throw new Error(`darse ${args.join(" ")} gave ${code}: ${stderr}`);
  return stdout;
}

/** Runs `check` again and again until it holds. */
async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (let left = 400; left > 0; left--) {
    if (await check()) return;
    await Bun.sleep(25);
  }
  throw new Error("it did not come to hold");
}

test("kill -9 of the engine loses no container, exit code, log line, exec or published port", async () => {
  await out(
    "run",
    "-d",
    "--name",
    "goes-on",
    "-p",
    "127.0.0.1::80",
    "-w",
    "/www",
    "busybox",
    "sh",
    "-c",
    "echo page > index.html; echo before; httpd -p 80; sleep 3; echo after; exec sleep 1d",
  );
  await out(
    "run",
    "-d",
    "--name",
    "ends-meanwhile",
    "busybox",
    "sh",
    "-c",
    "sleep 1; echo last words; exit 42",
  );
  const pid = await out("inspect", "--format", "{{.State.Pid}}", "goes-on");
  const address = (await out("port", "goes-on", "80")).trim();

  await engine.stopDaemon("SIGKILL");
  await Bun.sleep(1500);
  await engine.startDaemon();

  expect(await out("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "ends-meanwhile")).toBe(
    "exited 42\n",
  );
  expect(await out("logs", "ends-meanwhile")).toBe("last words\n");
  expect(await out("inspect", "--format", "{{.State.Status}} {{.State.Pid}}", "goes-on")).toBe(
    `running ${pid}`,
  );
  expect(await out("exec", "goes-on", "echo", "inside")).toBe("inside\n");
  expect(await (await fetch(`http://${address}/`)).text()).toBe("page\n");
  await eventually(async () => (await out("logs", "goes-on")) === "before\nafter\n");
  expect(await out("stop", "-t", "0", "goes-on")).toBe("goes-on\n");
  expect(await out("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "goes-on")).toBe(
    "exited 137\n",
  );
  expect(await out("start", "goes-on")).toBe("goes-on\n");
  await out("rm", "-f", "goes-on", "ends-meanwhile");
}, 60_000);

test("a container with --rm that ends while the engine is away is removed when it is back", async () => {
  await out("run", "-d", "--rm", "--name", "brief", "busybox", "sleep", "1");
  await engine.stopDaemon("SIGKILL");
  await Bun.sleep(1200);
  await engine.startDaemon();
  await eventually(async () => (await engine.darse(["inspect", "brief"])).code === 1);
}, 60_000);

test("images and named volumes are there after kill -9", async () => {
  await out("run", "--rm", "-v", "keeps:/data", "busybox", "sh", "-c", "echo kept > /data/f");
  const before = await out("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}");
  await engine.stopDaemon("SIGKILL");
  await engine.startDaemon();
  expect(await out("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")).toBe(before);
  expect(await out("run", "--rm", "-v", "keeps:/data", "busybox", "cat", "/data/f")).toBe("kept\n");
}, 60_000);

test("a second engine on the same root is refused by name of the first", async () => {
  const { run, DARSE } = await import("./engine.ts");
  const second = await run(DARSE, ["daemon", "--root", engine.root, "--run", engine.runFolder]);
  expect(second.code).toBe(17);
  expect(second.stderr).toContain(`engine with pid ${engine.pid} at ${engine.socket}`);
});

test("fifty containers that run, log, restart and exit survive an engine that is killed again and again", async () => {
  const kinds = [
    { name: "runs", flags: [], script: "while :; do sleep 1; done" },
    {
      name: "logs",
      flags: [],
      script: "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo $i; sleep 0.05; done; exit 5",
    },
    { name: "restarts", flags: ["--restart", "always"], script: "sleep 0.7; exit 1" },
    { name: "exits", flags: [], script: "sleep 1.5; echo over; exit 9" },
    { name: "vanishes", flags: ["--rm"], script: "sleep 1" },
  ];
  const members = Array.from({ length: 50 }, (_, index) => kinds[index % kinds.length] ?? kinds[0]);
  const names = members.map((kind, index) => `${kind?.name}-${index}`);
  const of = (kind: string): string[] => names.filter((name) => name.startsWith(kind));
  await Promise.all(
    members.map((kind, index) =>
      out(
        "run",
        "-d",
        "--name",
        names[index] ?? "",
        ...(kind?.flags ?? []),
        "busybox",
        "sh",
        "-c",
        kind?.script ?? "",
      ),
    ),
  );
  const pids = await out("inspect", "--format", "{{.State.Pid}}", ...of("runs"));

  for (let round = 0; round < 4; round++) {
    await engine.stopDaemon("SIGKILL");
    await Bun.sleep(300);
    await engine.startDaemon();
    await Bun.sleep(300);
  }

  const states = (kind: string): Promise<string> =>
    out("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", ...of(kind));
  await eventually(async () => (await states("logs")) === "exited 5\n".repeat(10));
  expect(await states("exits")).toBe("exited 9\n".repeat(10));
  expect(await out("inspect", "--format", "{{.State.Pid}}", ...of("runs"))).toBe(pids);
  for (const name of of("logs")) {
    expect(await out("logs", name)).toBe(Array.from({ length: 60 }, (_, line) => `${line + 1}\n`).join(""));
  }
  for (const name of of("exits")) expect(await out("logs", name)).toBe("over\n");
  await eventually(async () => (await out("ps", "-aq", "--filter", "name=vanishes")) === "");
  const counts = await out("inspect", "--format", "{{.RestartCount}} {{.State.Status}}", ...of("restarts"));
  expect(counts.trim().split("\n")).toHaveLength(10);
  expect(counts).not.toMatch(/exited|dead|created/);
  await out("rm", "-f", ...names.filter((name) => !name.startsWith("vanishes")));
  expect(await out("ps", "-aq")).toBe("");
}, 120_000);
