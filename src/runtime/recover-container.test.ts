import { afterAll, beforeAll, expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newId } from "#base/ids.ts";
import { needs } from "../../test/needs.ts";
import { findRecord } from "./bundle-record.ts";
import { RuntimeFixture } from "./testing/runtime-fixture.ts";

const testHere = needs("root", "crun", "conmon", "busybox");

let fixture: RuntimeFixture;

beforeAll(() => {
  fixture = new RuntimeFixture();
});
afterAll(async () => await fixture[Symbol.asyncDispose]());

async function recovered(id: string) {
  const all = await fixture.openRuntime().recover();
  return all.find((container) => container.id === id);
}

function conmonOf(id: string): number {
  return findRecord(fixture.runtime.bundlePath(id))?.conmonPid ?? 0;
}

testHere("a running container is taken over: attach, exec, kill and exit work", async () => {
  const id = await fixture.create(["sh", "-c", "trap 'echo bye; exit 4' TERM; while :; do sleep 0.05; done"]);
  await fixture.runtime.start(id);
  expect(await recovered(id)).toMatchObject({ id, state: "running" });
  await using attachment = await fixture.runtime.attach(id);
  const process = fixture.spec(["true"]).process;
  const io = { tty: false, openStdin: false, detach: true };
  const exec = await fixture.runtime.exec(id, { execId: newId(), process, ...io });
  expect(await exec.exited).toBe(0);
  expect(await fixture.runtime.kill(id, "TERM")).toBe("sent");
  const { value } = await attachment.output[Symbol.asyncIterator]().next();
  expect(Buffer.from(value.data).toString()).toBe("bye\n");
  expect((await fixture.runtime.exited(id)).exitCode).toBe(4);
});

testHere("a container that ended while nobody looked has its exit code and time", async () => {
  const id = await fixture.create(["sh", "-c", "exit 6"]);
  const before = fixture.runtime;
  await before.start(id);
  const { finishedAt } = await before.exited(id);
  expect(await recovered(id)).toEqual({
    id,
    pid: 0,
    state: "exited",
    exit: { exitCode: 6, oomKilled: false, finishedAt },
  });
});

testHere("a created container is still to be started", async () => {
  const id = await fixture.create(["sh", "-c", "exit 8"]);
  expect(await recovered(id)).toMatchObject({ state: "created" });
  await fixture.runtime.start(id);
  expect((await fixture.runtime.exited(id)).exitCode).toBe(8);
});

testHere("a half-made container is removed", async () => {
  const id = await fixture.create(["sleep", "600"]);
  const bundle = fixture.runtime.bundlePath(id);
  const record = findRecord(bundle);
  writeFileSync(join(bundle, "process.json"), JSON.stringify({ ...record, init: undefined }));
  expect(await recovered(id)).toBeUndefined();
  expect([existsSync(bundle), existsSync(join(fixture.run, "crun", id))]).toEqual([false, false]);
  expect(existsSync(`/proc/${record?.init?.pid}`)).toBe(false);
});

testHere("a bundle without a record loses our files but keeps the caller's root", async () => {
  const id = fixture.newId();
  const bundle = fixture.runtime.bundlePath(id);
  mkdirSync(join(bundle, "rootfs", "data"), { recursive: true });
  writeFileSync(join(bundle, "config.json"), "{}");
  expect(await recovered(id)).toBeUndefined();
  expect([existsSync(join(bundle, "rootfs/data")), existsSync(join(bundle, "config.json"))]).toEqual([
    true,
    false,
  ]);
});

testHere("a step that was running is ended and removed", async () => {
  const id = newId();
  const running = fixture.runtime
    .runToEnd(
      { id, spec: fixture.spec(["sh", "-c", "echo up; sleep 600"]), onOutput: () => undefined },
      AbortSignal.timeout(9000),
    )
    .catch(() => undefined);
  while (!existsSync(join(fixture.run, "crun", id, "status"))) await Bun.sleep(2);
  await fixture.openRuntime().recover();
  expect(existsSync(join(fixture.run, "steps", id))).toBe(false);
  await running;
});

testHere("a container whose conmon was killed is seen to end, as by SIGKILL", async () => {
  const id = await fixture.create(["sleep", "600"]);
  await fixture.runtime.start(id);
  process.kill(conmonOf(id), 9);
  await Bun.sleep(20);
  expect(await fixture.runtime.kill(id, "KILL")).toBe("sent");
  expect((await fixture.runtime.exited(id)).exitCode).toBe(137);
  expect(await recovered(id)).toMatchObject({ state: "exited", exit: { exitCode: 137 } });
});

testHere("a pid that names another process now is not taken for the container", async () => {
  const id = await fixture.create(["true"]);
  await fixture.runtime.start(id);
  await fixture.runtime.exited(id);
  const bundle = fixture.runtime.bundlePath(id);
  const record = findRecord(bundle);
  const init = { pid: process.pid, startTime: "1" };
  writeFileSync(join(bundle, "process.json"), JSON.stringify({ ...record, conmonPid: process.pid, init }));
  expect(await recovered(id)).toMatchObject({ state: "exited" });
  expect(await fixture.runtime.kill(id, 9)).toBe("gone");
});

testHere(
  "conmon leads a session of its own and has nothing of the engine's environment or descriptors",
  async () => {
    const id = await fixture.create(["sleep", "600"]);
    const pid = conmonOf(id);
    const [, , , , group, session] = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ");
    expect([Number(group), Number(session)]).toEqual([pid, pid]);
    const names = readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .filter((entry) => entry !== "")
      .map((entry) => entry.split("=")[0] ?? "");
    expect(names.toSorted()).toEqual(["PATH", "TMPDIR", "_OCI_SYNCPIPE"]);
  },
);

testHere("a container outlives an engine that is killed with its whole process group", async () => {
  const id = fixture.newId();
  const config = join(fixture.directory, "spec.json");
  writeFileSync(config, JSON.stringify(fixture.spec(["sleep", "600"])));
  const engine = Bun.spawn(
    [process.execPath, join(import.meta.dir, "testing/create-and-hang.ts"), fixture.run, id, config],
    { stdio: ["ignore", "pipe", "inherit"], detached: true },
  );
  const { value } = await engine.stdout.getReader().read();
  expect(Buffer.from(value ?? []).toString()).toBe("started\n");
  process.kill(-engine.pid, 9);
  await engine.exited;
  expect(await recovered(id)).toMatchObject({ state: "running" });
  await fixture.runtime.kill(id, "KILL");
  expect((await fixture.runtime.exited(id)).exitCode).toBe(137);
});
