import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "bun:test";
import { needs } from "../../test/needs.ts";
import { StartError } from "./start-error.ts";
import { RuntimeFixture } from "./testing/runtime-fixture.ts";

const testHere = needs("root", "crun", "conmon", "busybox");

let fixture: RuntimeFixture;

beforeAll(() => {
  fixture = new RuntimeFixture();
});
afterAll(async () => await fixture[Symbol.asyncDispose]());

testHere("a container's output and exit code arrive whole", async () => {
  const ended = await fixture.output(["sh", "-c", "echo out; echo err >&2; exit 7"]);
  expect(ended).toEqual({ stdout: "out\n", stderr: "err\n", exitCode: 7 });
});

testHere("an exit by signal n is 128 + n", async () => {
  // Process 1 of a pid namespace cannot kill itself, so this one shares the host's.
  const namespaces = { pid: "host" } as const;
  expect((await fixture.output(["sh", "-c", "kill -9 $$"], { namespaces })).exitCode).toBe(137);
  expect((await fixture.output(["sh", "-c", "kill -15 $$"], { namespaces })).exitCode).toBe(143);
});

testHere("nothing of a deleted container is left", async () => {
  const cgroupPath = "/darse-test/leftover";
  const id = await fixture.create(["sleep", "60"], { cgroupPath });
  await fixture.runtime.start(id);
  const cgroup = "/sys/fs/cgroup/pids/darse-test/leftover";
  const hasPidsV1 = existsSync("/sys/fs/cgroup/pids");
  if (hasPidsV1) expect(existsSync(cgroup)).toBe(true);
  const gone = fixture.runtime.exited(id);
  await fixture.runtime.delete(id);
  expect((await gone).exitCode).toBe(137);
  for (const path of [
    cgroup,
    fixture.runtime.bundlePath(id),
    join(fixture.run, "exits", id),
    join(fixture.run, "crun", id),
  ]) {
    expect([path, existsSync(path)]).toEqual([path, false]);
  }
  await fixture.runtime.delete(id);
});

testHere(
  "a finished container has its exit until it is deleted, and can be waited for many times",
  async () => {
    const id = await fixture.create(["false"]);
    await fixture.runtime.start(id);
    const first = await fixture.runtime.exited(id);
    expect(first).toMatchObject({ exitCode: 1, oomKilled: false });
    expect(Math.abs(Date.now() - first.finishedAt)).toBeLessThan(5000);
    expect(await fixture.runtime.exited(id)).toBe(first);
    expect(await fixture.runtime.kill(id, "TERM")).toBe("gone");
  },
);

testHere("kill sends a signal to the init by name or number", async () => {
  const trap = "trap 'exit 42' USR1; trap 'exit 43' 12; echo ready; while :; do sleep 0.05; done";
  for (const [signal, exitCode] of [
    ["SIGUSR1", 42],
    [12, 43],
  ] as const) {
    const id = await fixture.create(["sh", "-c", trap]);
    await using attachment = await fixture.runtime.attach(id);
    await fixture.runtime.start(id);
    await attachment.output[Symbol.asyncIterator]().next();
    expect(await fixture.runtime.kill(id, signal)).toBe("sent");
    expect((await fixture.runtime.exited(id)).exitCode).toBe(exitCode);
  }
});

testHere("kill with all reaches every process", async () => {
  const id = await fixture.create(["sh", "-c", "sleep 100 & sleep 100 & wait"]);
  await fixture.runtime.start(id);
  expect(await fixture.runtime.kill(id, "KILL", { all: true })).toBe("sent");
  expect((await fixture.runtime.exited(id)).exitCode).toBe(137);
});

testHere("a paused container stands still and goes on when resumed", async () => {
  const id = await fixture.create(["sh", "-c", "while :; do echo tick; sleep 0.02; done"]);
  await using attachment = await fixture.runtime.attach(id);
  await fixture.runtime.start(id);
  const output = attachment.output[Symbol.asyncIterator]();
  await output.next();
  await fixture.runtime.pause(id);
  const stat = readFileSync(`/proc/${pidOf(id)}/stat`, "utf8");
  await fixture.runtime.resume(id);
  await output.next();
  await fixture.runtime.kill(id, 9);
  expect((await fixture.runtime.exited(id)).exitCode).toBe(137);
  expect(stat).toContain("(sh)");
});

testHere("a container killed for memory says so", async () => {
  const hog = "dd if=/dev/zero of=/dev/null bs=200M count=1";
  const id = await fixture.create(["sh", "-c", hog], { resources: { memoryBytes: 16 << 20 } });
  await fixture.runtime.start(id);
  const exit = await fixture.runtime.exited(id);
  expect(exit).toMatchObject({ exitCode: 137, oomKilled: true });
});

testHere("the log has every line in the CRI format", async () => {
  const logPath = join(fixture.directory, "lines.log");
  const id = await fixture.create(["sh", "-c", "echo one; echo two >&2; printf three"], { logPath });
  await fixture.runtime.start(id);
  await fixture.runtime.exited(id);
  const lines = readFileSync(logPath, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^\S+ /, ""))
    .toSorted();
  expect(lines).toEqual(["stderr F two", "stdout F one", "stdout P three"]);
  rmSync(logPath);
});

const failures: [string, readonly string[], object, number, string][] = [
  ["a missing program", ["nope"], {}, 127, 'exec: "nope": executable file not found in $PATH: unknown'],
  ["a missing path", ["/no/pe"], {}, 127, 'exec: "/no/pe": stat /no/pe: no such file or directory: unknown'],
  [
    "a file that is not executable",
    ["/etc/passwd"],
    {},
    126,
    'exec: "/etc/passwd": permission denied: unknown',
  ],
  ["a directory", ["/etc"], {}, 126, 'exec: "/etc": is a directory: permission denied: unknown'],
  ["a file as working directory", ["true"], { cwd: "/etc/passwd" }, 127, "/etc/passwd"],
];

for (const [name, args, changes, exitCode, text] of failures) {
  testHere(`${name} cannot be started: exit code ${exitCode} and Docker's text`, async () => {
    const error = await fixture.create(args, changes).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StartError);
    if (!(error instanceof StartError)) return;
    expect(error.message).toContain(text);
    expect(error.message).toStartWith("failed to create task for container: ");
    expect(error.exitCode).toBe(exitCode as 126 | 127 | 128);
  });
}

testHere("a failed create leaves nothing", async () => {
  const id = fixture.newId();
  const spec = fixture.spec(["nope"]);
  const create = { id, spec, log: {}, tty: false, openStdin: false, stdinOnce: false };
  await fixture.runtime.create(create, AbortSignal.timeout(5000)).catch(() => undefined);
  expect(existsSync(fixture.runtime.bundlePath(id))).toBe(false);
  expect(existsSync(join(fixture.run, "crun", id))).toBe(false);
  expect(existsSync(`/sys/fs/cgroup/pids${spec.linux.cgroupsPath}`)).toBe(false);
});

testHere("a cancelled create leaves nothing", async () => {
  const id = fixture.newId();
  const create = {
    id,
    spec: fixture.spec(["true"]),
    log: {},
    tty: false,
    openStdin: false,
    stdinOnce: false,
  };
  const controller = new AbortController();
  const creating = fixture.runtime.create(create, controller.signal);
  controller.abort();
  await expect(creating).rejects.toThrow("cancelled");
  expect(existsSync(fixture.runtime.bundlePath(id))).toBe(false);
  expect(existsSync(join(fixture.run, "crun", id))).toBe(false);
});

testHere("an unknown runtime is refused with Docker's text", async () => {
  const io = { log: {}, tty: false, openStdin: false, stdinOnce: false };
  const create = { id: fixture.newId(), spec: fixture.spec(["true"]), ...io, runtime: "kata" };
  await expect(fixture.runtime.create(create, AbortSignal.timeout(1000))).rejects.toThrow(
    "unknown or invalid runtime name: kata",
  );
});

function pidOf(id: string): string {
  return readFileSync(join(fixture.runtime.bundlePath(id), "pid"), "utf8").trim();
}
