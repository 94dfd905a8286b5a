import { expect, test } from "bun:test";
import { createRequest } from "./_fixtures/requests.ts";
import { openSmallWorld, type SmallWorld } from "./_fixtures/small-world.ts";

const NEVER = new AbortController().signal;

async function made(world: SmallWorld, host: object = {}, name = "web"): Promise<string> {
  return (await world.containers.create(createRequest({ Cmd: ["run"] }, { ...host }, { name }), NEVER)).id;
}

async function started(world: SmallWorld, host: object = {}): Promise<string> {
  const id = await made(world, host);
  await world.containers.start(id);
  return id;
}

test("a policy restarts what ended by itself, not what was stopped", async () => {
  using world = await openSmallWorld();
  const id = await started(world, { RestartPolicy: { Name: "always" } });
  world.exit(id, 1);
  await Promise.resolve();
  const until = Date.now() + 2000;
  while (world.containers.inspect(id).restartCount === 0 && Date.now() < until) await Bun.sleep(5);
  expect(world.containers.inspect(id)).toMatchObject({ restartCount: 1, state: { status: "running" } });
  await world.containers.stop(id, {});
  expect(world.containers.inspect(id).state.status).toBe("exited");
});

test("stop calls off a restart that waits", async () => {
  using world = await openSmallWorld();
  const id = await started(world, { RestartPolicy: { Name: "always" } });
  const over = world.containers.wait(id, "next-exit", NEVER);
  world.exit(id, 9);
  const until = Date.now() + 2000;
  while (world.containers.inspect(id).state.status !== "restarting" && Date.now() < until) await Bun.sleep(1);
  await world.containers.stop(id, {});
  expect(await over).toEqual({ exitCode: 9 });
  expect(world.containers.inspect(id).state).toMatchObject({ status: "exited", exitCode: 9 });
  world.containers.close().catch(() => undefined);
});

test("after a restart of the engine running ones run, ended ones have their code, unknown ones are gone", async () => {
  using world = await openSmallWorld();
  const steady = await made(world, {}, "steady");
  const ended = await made(world, {}, "ended");
  const lost = await made(world, {}, "lost");
  const resting = await made(world, {}, "resting");
  for (const id of [steady, ended, lost]) await world.containers.start(id);
  const next = await world.restarted([
    { id: steady, pid: 42, state: "running" },
    { id: ended, pid: 0, state: "exited", exit: { exitCode: 5, oomKilled: true, finishedAt: 7 } },
    { id: "f".repeat(64), pid: 0, state: "exited", exit: { exitCode: 0, oomKilled: false, finishedAt: 7 } },
  ]);
  const states = [steady, ended, lost, resting].map((id) => next.inspect(id).state);
  expect(states).toMatchObject([
    { status: "running", pid: 42 },
    { status: "exited", exitCode: 5, oomKilled: true, finishedAt: 7 },
    { status: "exited", exitCode: 255 },
    { status: "created" },
  ]);
  expect(world.holdings()).toMatchObject({ running: [steady], attached: [steady] });
});

test("a start that the engine did not live to record is taken over", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  const next = await world.restarted([{ id, pid: 42, state: "running" }]);
  expect(next.inspect(id).state).toMatchObject({ status: "running", pid: 42 });
  const over = next.wait(id, "not-running", NEVER);
  world.exit(id, 3);
  expect(await over).toEqual({ exitCode: 3 });
});

test("a removal that the engine did not live to finish is finished", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  world.hold("removeActive");
  void world.containers.remove(id, { force: false, removesVolumes: false }).catch(() => undefined);
  const until = Date.now() + 2000;
  while (world.containers.inspect(id).state.status !== "removing" && Date.now() < until) await Bun.sleep(1);
  const next = await world.restarted([]);
  expect(next.list({ all: true, filters: new Map() })).toEqual([]);
  expect(world.holdings()).toEqual({ snapshots: [], volumes: [], mounts: [], attached: [], running: [] });
});

const policies: [string, string[], string][] = [
  ["always", ["stopped"], "running"],
  ["unless-stopped", ["stopped"], "exited"],
  ["unless-stopped", ["ended"], "running"],
  ["no", ["ended"], "exited"],
];
for (const [name, [how], want] of policies) {
  test(`policy ${name}: a container that had ${how} is ${want} after a restart of the engine`, async () => {
    using world = await openSmallWorld();
    const id = await started(world, { RestartPolicy: { Name: name } });
    if (how === "stopped") await world.containers.stop(id, {});
    await world.containers.close();
    const next = await world.restarted(
      how === "ended"
        ? [{ id, pid: 0, state: "exited", exit: { exitCode: 0, oomKilled: false, finishedAt: 7 } }]
        : [],
    );
    await next.close();
    expect(next.inspect(id).state.status as string).toBe(want);
  });
}
