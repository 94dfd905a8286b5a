import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { responseFaults } from "./api-schema.ts";
import { type RunOptions, TestEngine } from "./engine.ts";

// Health checks, as the unmodified docker command line and the API show them.

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

interface Health {
  readonly Status: string;
  readonly FailingStreak: number;
  readonly Log: readonly { readonly ExitCode: number; readonly Output: string }[];
}

const docker = async (args: readonly string[], options?: RunOptions): Promise<string> =>
  (await engine.docker(args, options)).stdout.trim();

async function health(name: string): Promise<Health | undefined> {
  const { body } = await engine.api("GET", `/containers/${name}/json`);
  return (body as { State: { Health?: Health } }).State.Health;
}

async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (let left = 600; left > 0; left--) {
    if (await check()) return;
    await Bun.sleep(25);
  }
  throw new Error("it did not come to hold");
}

const becomes = (name: string, status: string): Promise<void> =>
  eventually(async () => (await health(name))?.Status === status);

/** Runs a container that is checked every 300 ms, by `test -e /ok` unless said otherwise. */
async function checked(name: string, ...flags: string[]): Promise<void> {
  const { code, stderr } = await engine.docker([
    "run",
    "-d",
    "--name",
    name,
    "--health-interval",
    "300ms",
    ...(flags.some((flag) => flag.startsWith("--health-cmd"))
      ? []
      : ["--health-cmd", "test -e /ok && echo fine"]),
    ...flags,
    "busybox",
    "sleep",
    "1d",
  ]);
  if (code !== 0) throw new Error(stderr);
}

/** Processes of this host whose command line holds `text`. */
function processesWith(text: string): number {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(text);
    } catch {
      return false;
    }
  }).length;
}

test("starting, unhealthy, healthy: inspect, list, filter and events tell it", async () => {
  const since = Math.floor(Date.now() / 1000);
  await checked("turns", "--health-retries", "2");
  expect((await health("turns"))?.Status).toBe("starting");
  expect(await docker(["ps", "--format", "{{.Status}}", "-f", "name=turns"])).toMatch(
    /^Up .* \(health: starting\)$/,
  );
  await becomes("turns", "unhealthy");
  expect(await docker(["ps", "--format", "{{.Status}}", "-f", "name=turns"])).toMatch(
    /^Up .* \(unhealthy\)$/,
  );
  expect(await docker(["ps", "--format", "{{.Names}}", "-f", "health=unhealthy"])).toBe("turns");
  await docker(["exec", "turns", "touch", "/ok"]);
  await becomes("turns", "healthy");
  const { FailingStreak: streak, Log: log } = (await health("turns")) ?? { FailingStreak: -1, Log: [] };
  expect([streak, log.at(-1)?.ExitCode, log.at(-1)?.Output]).toEqual([0, 0, "fine\n"]);
  expect(await docker(["ps", "--format", "{{.Status}}", "-f", "health=healthy"])).toMatch(
    /^Up .* \(healthy\)$/,
  );
  const inspected = await engine.api("GET", "/containers/turns/json");
  expect(responseFaults("GET", "/containers/{id}/json", 200, inspected.body)).toEqual([]);
  const until = String(Math.ceil(Date.now() / 1000) + 1);
  const events = await docker([
    "events",
    "--since",
    String(since),
    "--until",
    until,
    "--format",
    "{{.Action}}",
  ]);
  const statuses = events.split("\n").filter((action) => action.startsWith("health_status"));
  expect(statuses).toEqual(["health_status: unhealthy", "health_status: healthy"]);
  const command = "/bin/sh -c test -e /ok && echo fine";
  expect(events.split("\n")).toContain(`exec_create: ${command}`);
  expect(events.split("\n")).toContain(`exec_start: ${command}`);
  expect(events.split("\n")).toContain("exec_die");
  await docker(["rm", "-f", "turns"]);
}, 30_000);

test("failures in the start period do not count, and the start interval holds in it", async () => {
  await checked(
    "slow",
    "--health-interval",
    "1h",
    "--health-retries",
    "1",
    "--health-start-period",
    "1h",
    "--health-start-interval",
    "200ms",
  );
  await eventually(async () => ((await health("slow"))?.Log.length ?? 0) >= 2);
  expect(await health("slow")).toMatchObject({ Status: "starting", FailingStreak: 0 });
  await docker(["exec", "slow", "touch", "/ok"]);
  await becomes("slow", "healthy");
  await docker(["rm", "-f", "slow"]);
}, 30_000);

test("a check that takes too long is killed with all that it has started", async () => {
  await checked(
    "hangs",
    "--health-timeout",
    "300ms",
    "--health-retries",
    "1",
    "--health-cmd",
    "echo begun; sleep 4321 & sleep 4321",
  );
  await becomes("hangs", "unhealthy");
  const entry = (await health("hangs"))?.Log[0];
  expect(entry).toMatchObject({ ExitCode: -1, Output: "Health check exceeded timeout (300ms): begun\n" });
  await docker(["pause", "hangs"]);
  await docker(["unpause", "hangs"]);
  await docker(["stop", "-t", "0", "hangs"]);
  await eventually(async () => processesWith("4321") === 0);
  await docker(["rm", "-f", "hangs"]);
}, 30_000);

test("no process is kept between checks", async () => {
  await checked("quiet", "--health-cmd", "true # 98765", "--health-interval", "2s");
  await eventually(async () => ((await health("quiet"))?.Log.length ?? 0) >= 1);
  const id = await docker(["inspect", "-f", "{{.Id}}", "quiet"]);
  await eventually(async () => processesWith(id) === 1);
  expect((await engine.docker(["top", "quiet", "-o", "pid,args"])).stdout.trimEnd().split("\n")).toHaveLength(
    2,
  );
  expect(await docker(["inspect", "-f", "{{.ExecIDs}}", "quiet"])).toBe("[]");
  await docker(["rm", "-f", "quiet"]);
}, 30_000);

test("output is cut at 4096 bytes, and bytes that are no text do no harm", async () => {
  await checked("talks", "--health-cmd", "printf '\\377'; yes | head -c 100000");
  await becomes("talks", "healthy");
  const output = (await health("talks"))?.Log[0]?.Output ?? "";
  expect(output).toHaveLength(4096 + 3);
  expect(output.startsWith("\ufffdy\n")).toBe(true);
  expect(output.endsWith("...")).toBe(true);
  await docker(["rm", "-f", "talks"]);
}, 30_000);

test("a command that is not there is a failure that says so", async () => {
  const created = await engine.api("POST", "/containers/create?name=lacks", {
    Image: "busybox",
    Cmd: ["sleep", "1d"],
    Healthcheck: { Test: ["CMD", "/nope"], Interval: 300_000_000, Retries: 1 },
  });
  expect(created.status).toBe(201);
  await engine.api("POST", "/containers/lacks/start");
  await becomes("lacks", "unhealthy");
  const entry = (await health("lacks"))?.Log[0];
  expect(entry?.ExitCode).toBe(-1);
  expect(entry?.Output).toContain("/nope");
  await docker(["rm", "-f", "lacks"]);
}, 30_000);

test("the image's check is inherited, overridden field by field, and switched off", async () => {
  const dockerfile =
    'FROM busybox\nHEALTHCHECK --interval=1h --retries=7 CMD ["true"]\nCMD ["sleep", "1d"]\n';
  expect((await engine.docker(["build", "-q", "-t", "checked", "-"], { input: dockerfile })).code).toBe(0);
  await docker(["run", "-d", "--name", "inherits", "checked"]);
  await docker(["run", "-d", "--name", "overrides", "--health-interval", "300ms", "checked"]);
  await docker(["run", "-d", "--name", "off", "--no-healthcheck", "checked"]);
  expect((await health("inherits"))?.Status).toBe("starting");
  await becomes("overrides", "healthy");
  const config = await docker(["inspect", "-f", "{{json .Config.Healthcheck}}", "overrides"]);
  expect(JSON.parse(config)).toEqual({ Test: ["CMD", "true"], Interval: 300_000_000, Retries: 7 });
  expect(await health("off")).toBeUndefined();
  expect(await docker(["ps", "--format", "{{.Status}}", "-f", "name=off"])).toMatch(/^Up [^(]*$/);
  expect(await docker(["ps", "--format", "{{.Names}}", "-f", "health=none"])).toBe("off");
  await docker(["rm", "-f", "inherits", "overrides", "off"]);
  await docker(["rmi", "checked"]);
}, 30_000);

test("a paused container is not checked, and a restarted one starts anew", async () => {
  await checked("rests", "--health-cmd", "true");
  await becomes("rests", "healthy");
  await docker(["pause", "rests"]);
  const before = await health("rests");
  await Bun.sleep(1000);
  expect(await health("rests")).toEqual(before);
  expect(before?.Status).toBe("unhealthy");
  await docker(["unpause", "rests"]);
  await becomes("rests", "healthy");
  await docker(["stop", "-t", "0", "rests"]);
  expect((await health("rests"))?.Status).toBe("unhealthy");
  expect(await docker(["ps", "-a", "--format", "{{.Status}}", "-f", "name=rests"])).toStartWith(
    "Exited (137)",
  );
  await docker(["start", "rests"]);
  expect((await health("rests"))?.Status).toBe("starting");
  await becomes("rests", "healthy");
  await docker(["rm", "-f", "rests"]);
}, 30_000);

test("checks run with the container's user, environment and folder", async () => {
  await checked(
    "who",
    "--user",
    "1234:5678",
    "-e",
    "WORD=said",
    "-w",
    "/tmp",
    "--health-cmd",
    "echo $(id -u):$(id -g) $WORD $PWD",
  );
  await becomes("who", "healthy");
  expect((await health("who"))?.Log[0]?.Output).toBe("1234:5678 said /tmp\n");
  await docker(["rm", "-f", "who"]);
}, 30_000);

test("kill -9 of the engine: what was known stays, checks go on, a check under way is ended", async () => {
  await checked("steady", "--health-cmd", "true");
  await checked("stuck", "--health-timeout", "1h", "--health-cmd", "sleep 5432");
  await becomes("steady", "healthy");
  await eventually(async () => processesWith("5432") === 1);
  await engine.stopDaemon("SIGKILL");
  await engine.startDaemon();
  const after = await health("steady");
  expect(after?.Status).toBe("healthy");
  await eventually(async () => (await health("steady"))?.Log.at(-1) !== undefined);
  const last = JSON.stringify((await health("steady"))?.Log.at(-1));
  await eventually(async () => JSON.stringify((await health("steady"))?.Log.at(-1)) !== last);
  // The old one is gone; a new one has come in its place, and never two.
  await eventually(async () => processesWith("5432") === 1);
  await Bun.sleep(700);
  expect(processesWith("5432")).toBe(1);
  await docker(["rm", "-f", "steady", "stuck"]);
  await eventually(async () => processesWith("5432") === 0);
}, 60_000);
