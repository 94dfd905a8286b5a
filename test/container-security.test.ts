import { readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestEngine } from "./engine.ts";

// Containers that fight the engine, or each other, harm neither the host nor their neighbours.

let engine: TestEngine;
let canary: string;

beforeAll(async () => {
  engine = await TestEngine.start();
  canary = join(engine.folder, "canary");
  await mkdir(canary);
  await writeFile(join(canary, "secret"), "of the host\n");
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

const docker = (...args: string[]) => engine.docker(args);

/** `t` in the volume is by turns a folder, a link to the canary on the host, and the same by a relative way. */
const racer = (): string =>
  `cd /v; while :; do rm -rf t; mkdir t; rm -rf t; ln -s ${canary} t; rm t; ln -s ../../../../../../../../../..${canary} t; rm t; done`;

/** What is mounted on or below the canary. */
function mountsOnCanary(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.split(" ")[4]?.startsWith(canary));
}

test("a mount target or subpath that is raced in a shared volume leads nowhere outside (CVE-2021-30465)", async () => {
  await docker("run", "-d", "--name", "racer", "-v", "race:/v", "busybox", "sh", "-c", racer());
  const look = "cat /v/t/secret; touch /v/t/stray";
  const attempts = [
    ["-v", "race:/v", "-v", "inner:/v/t", "busybox", "sh", "-c", look],
    ["-v", "race:/v", "--tmpfs", "/v/t/deep", "busybox", "sh", "-c", look],
    ["-v", "race:/v", "-v", `${join(engine.folder, "engine.log")}:/v/t/file:ro`, "busybox", "sh", "-c", look],
    ["--mount", "type=volume,src=race,dst=/v/t,volume-subpath=t", "busybox", "sh", "-c", look],
    ["-v", "race:/v", "-w", "/v/t/made", "busybox", "sh", "-c", "cat ../secret"],
  ];
  let started = 0;
  for (let round = 0; round < 20; round++) {
    for (const args of attempts) {
      const { code, stdout } = await docker("run", "--rm", ...args);
      if (code !== 125) started++;
      expect(stdout).not.toContain("of the host");
      expect(readdirSync(canary)).toEqual(["secret"]);
      expect(mountsOnCanary()).toEqual([]);
    }
  }
  expect(started).toBeGreaterThan(0);
  expect(readFileSync(join(canary, "secret"), "utf8")).toBe("of the host\n");
  await docker("rm", "-f", "racer");
}, 120_000);

test("a fork bomb is held by its limit, and its neighbours are served", async () => {
  await docker("run", "-d", "--name", "neighbour", "busybox", "sleep", "1000");
  await docker(
    "run",
    "-d",
    "--name",
    "bomb",
    "--pids-limit",
    "64",
    "--cpus",
    "0.5",
    "busybox",
    "sh",
    "-c",
    "f() { f | f & }; while :; do f; sleep 0.1; done",
  );
  const show = "cat /sys/fs/cgroup/pids/pids.current 2>/dev/null || cat /sys/fs/cgroup/pids.current";
  const seen = [];
  for (let round = 0; round < 5; round++) {
    const { stdout } = await docker("exec", "neighbour", "sh", "-c", "echo served; ps | wc -l");
    expect(stdout.split("\n")[0]).toBe("served");
    seen.push((await docker("top", "bomb")).stdout.split("\n").length - 2);
  }
  expect(Math.max(...seen)).toBeLessThanOrEqual(64);
  expect(Number((await docker("exec", "neighbour", "sh", "-c", show)).stdout)).toBeLessThan(10);
  expect((await docker("rm", "-f", "bomb")).code).toBe(0);
  await docker("rm", "-f", "neighbour");
}, 60_000);

/** Sends the head of a request, waits for the first bytes of an answer, and drops the connection. */
function dropped(head: string, body = ""): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(engine.socket, () => {
    socket.write(
      `${head}\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  });
  socket.once("data", () => socket.destroy());
  socket.once("close", () => resolve());
  socket.once("error", reject);
  return promise;
}

function descriptors(): number {
  return readdirSync(`/proc/${engine.pid}/fd`).length;
}

function residentMiB(): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${engine.pid}/status`, "utf8"))?.[1]) / 1024;
}

test("attachments and execs that are opened and dropped leave no descriptor, process or memory", async () => {
  await docker(
    "run",
    "-d",
    "--name",
    "target",
    "busybox",
    "sh",
    "-c",
    "while :; do echo tick; sleep 0.2; done",
  );
  const upgrade = "Connection: Upgrade\r\nUpgrade: tcp";
  const flood = async (times: number): Promise<void> => {
    for (let round = 0; round < times; round++) {
      await Promise.all(
        Array.from({ length: 20 }, () =>
          dropped(`POST /containers/target/attach?stream=1&stdout=1&stdin=1 HTTP/1.1\r\n${upgrade}`),
        ),
      );
    }
  };
  const execs = async (times: number): Promise<void> => {
    for (let round = 0; round < times; round++) {
      const { body } = await engine.api("POST", "/containers/target/exec", {
        Cmd: ["sleep", "0.1"],
        AttachStdout: true,
      });
      const id = String(body !== null && typeof body === "object" && "Id" in body ? body.Id : "");
      await dropped(`POST /exec/${id}/start HTTP/1.1\r\n${upgrade}`, '{"Detach":false}');
    }
  };
  await flood(5);
  await execs(5);
  await Bun.sleep(500);
  const before = { fds: descriptors(), mib: residentMiB() };
  await flood(50);
  await execs(60);
  for (let left = 100; left > 0 && descriptors() > before.fds + 5; left--) await Bun.sleep(50);
  expect(descriptors()).toBeLessThanOrEqual(before.fds + 5);
  expect(residentMiB() - before.mib).toBeLessThan(40);
  expect((await docker("exec", "target", "sh", "-c", "ps | grep -c 'sleep 0[.]1'")).stdout).toBe("0\n");
  expect((await docker("logs", "--tail", "1", "target")).stdout).toBe("tick\n");
  await docker("rm", "-f", "target");
}, 120_000);
