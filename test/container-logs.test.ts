import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestEngine } from "./engine.ts";

// Logs are bounded, and nothing of what is kept is lost, doubled or out of order.

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

const docker = (...args: string[]) => engine.docker(args);
/** Fast, in bursts: so that there are many rotations, and output during each. */
const COUNT = "i=0; while [ $i -lt $N ]; do i=$((i+1)); echo $i; [ $((i % 250)) = 0 ] && usleep 1000; done";

function lines(from: number, to: number): string {
  let text = "";
  for (let line = from; line <= to; line++) text += `${line}\n`;
  return text;
}

async function folderOf(name: string): Promise<string> {
  return join(engine.root, "containers", (await docker("inspect", "-f", "{{.Id}}", name)).stdout.trim());
}

function logFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith("container.log"));
}

function logBytes(folder: string): number {
  return logFiles(folder).reduce(
    (sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

function residentMiB(): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${engine.pid}/status`, "utf8"))?.[1]) / 1024;
}

for (const compress of ["false", "true"]) {
  test(`a container that writes while its log is rotated many times loses nothing, compress=${compress}`, async () => {
    const name = `count-${compress}`;
    const options = ["max-size=10k", "max-file=1000", `compress=${compress}`].flatMap((one) => [
      "--log-opt",
      one,
    ]);
    await docker("run", "-d", "--name", name, ...options, "-e", "N=100000", "busybox", "sh", "-c", COUNT);
    const followed = docker("logs", "-f", name);
    const during = [];
    for (let left = 5; left > 0; left--) {
      during.push((await docker("logs", name)).stdout);
      await Bun.sleep(50);
    }
    await docker("wait", name);
    for (const text of during) expect(text).toBe(lines(1, text.split("\n").length - 1));
    expect((await followed).stdout).toBe(lines(1, 100_000));
    expect((await docker("logs", name)).stdout).toBe(lines(1, 100_000));
    expect((await docker("logs", "--tail", "5000", name)).stdout).toBe(lines(95_001, 100_000));
    expect(logFiles(await folderOf(name)).length).toBeGreaterThan(10);
    await docker("rm", name);
  }, 90_000);
}

test("by default five files of 20 MB are kept of 400 MB, the engine's memory does not grow, and the end is whole", async () => {
  const before = residentMiB();
  const write =
    "yes 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz | head -c 400000000; echo; echo end";
  await docker("run", "-d", "--name", "much", "busybox", "sh", "-c", write);
  let most = 0;
  const folder = await folderOf("much");
  const watching = setInterval(() => (most = Math.max(most, logBytes(folder))), 50);
  await docker("wait", "much");
  clearInterval(watching);
  expect(logFiles(folder).length).toBeLessThanOrEqual(6);
  // Five files, and what conmon writes between two looks at a file's size.
  expect(most).toBeLessThan(300e6);
  expect(residentMiB() - before).toBeLessThan(60);
  expect((await docker("logs", "--tail", "1", "much")).stdout).toBe("end\n");
  await docker("rm", "much");
}, 120_000);

test("output without a newline is bounded on disk and in memory as any other", async () => {
  const before = residentMiB();
  const bounds = ["--log-opt", "max-size=2m", "--log-opt", "max-file=3"];
  const write = "head -c 300000000 /dev/zero | tr '\\0' x";
  await docker("run", "-d", "--name", "endless", ...bounds, "busybox", "sh", "-c", write);
  await docker("wait", "endless");
  expect(logBytes(await folderOf("endless"))).toBeLessThan(150e6);
  expect(residentMiB() - before).toBeLessThan(60);
  await docker("rm", "endless");
}, 120_000);

test("a line of 10 MB is kept whole and in order, across segments", async () => {
  const bounds = ["--log-opt", "max-size=1m", "--log-opt", "max-file=50"];
  // Ten parts of a megabyte; each of the first five waits until the log was rotated after the one before.
  const write =
    "for n in 0 1 2 3 4 5 6 7 8 9; do seq -s - $((1000000 + n * 125000)) $((1124999 + n * 125000)) | tr '\\n' -;" +
    " [ $n -ge 5 ] || until [ -e /rotated$n ]; do usleep 10000; done; done; echo end; echo after";
  await docker("run", "-d", "--name", "long", ...bounds, "busybox", "sh", "-c", write);
  const folder = await folderOf("long");
  for (let part = 0; part < 5; part++) {
    while (logFiles(folder).length < part + 2) await Bun.sleep(10);
    expect((await docker("exec", "long", "touch", `/rotated${part}`)).code).toBe(0);
  }
  await docker("wait", "long");
  let want = "";
  for (let i = 1_000_000; i < 2_250_000; i++) want += `${i}-`;
  const { stdout } = await docker("logs", "long");
  expect(stdout.length).toBe(want.length + "end\nafter\n".length);
  expect(stdout === `${want}end\nafter\n`).toBe(true);
  expect((await docker("logs", "--tail", "2", "long")).stdout === stdout).toBe(true);
  await docker("rm", "long");
}, 120_000);

test("an engine that is killed takes a log up where it was", async () => {
  const bounds = ["--log-opt", "max-size=10k", "--log-opt", "max-file=1000"];
  const slowly =
    "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo $i; [ $((i % 2000)) = 0 ] && sleep 0.1; done";
  await docker("run", "-d", "--name", "survives", ...bounds, "busybox", "sh", "-c", slowly);
  for (let round = 0; round < 3; round++) {
    await Bun.sleep(300);
    await engine.stopDaemon("SIGKILL");
    await engine.startDaemon();
  }
  await docker("wait", "survives");
  expect((await docker("logs", "survives")).stdout).toBe(lines(1, 60_000));
  expect(logFiles(await folderOf("survives")).length).toBeGreaterThan(3);
  await docker("rm", "survives");
}, 90_000);

test("details are what labels, env and tag name", async () => {
  const options = ["labels=team,none", "env=STAGE", "tag={{.Name}}/{{.ID}}"].flatMap((one) => [
    "--log-opt",
    one,
  ]);
  const facts = ["--label", "team=a b", "--label", "other=x", "-e", "STAGE=prod,1"];
  await docker("run", "-d", "--name", "told", ...options, ...facts, "busybox", "echo", "hello");
  await docker("wait", "told");
  const id = (await docker("inspect", "-f", "{{.Id}}", "told")).stdout.slice(0, 12);
  const { body } = await engine.api("GET", "/containers/told/json");
  expect(body).toMatchObject({ HostConfig: { LogConfig: { Type: "json-file" } } });
  const { text } = await engine.api("GET", "/containers/told/logs?stdout=1&details=1");
  expect(text.slice(8)).toBe(`STAGE=prod%2C1,tag=told%2F${id},team=a+b hello\n`);
  await docker("rm", "told");
});

for (const driver of ["json-file", "local"]) {
  test(`the driver ${driver} is read`, async () => {
    await docker("run", "--name", "driven", "--log-driver", driver, "busybox", "echo", "kept");
    expect((await docker("logs", "driven")).stdout).toBe("kept\n");
    await docker("rm", "driven");
  });
}

test("the driver none keeps nothing, and says so", async () => {
  await docker("run", "--name", "driven", "--log-driver", "none", "busybox", "echo", "lost");
  const { code, stderr } = await docker("logs", "driven");
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining("configured logging driver does not support reading"),
  ]);
  await docker("rm", "driven");
});
