import { expect, test } from "bun:test";
import { createRequest } from "./_fixtures/requests.ts";
import { openSmallWorld, type SmallWorld } from "./_fixtures/small-world.ts";
import type { Containers } from "./containers.ts";
import type { Status } from "./state.ts";

const NEVER = new AbortController().signal;
const FAILED = { exitCode: 1, oomKilled: false, finishedAt: 7 };

async function started(world: SmallWorld, policy: object): Promise<string> {
  const request = createRequest({ Cmd: ["run"] }, { RestartPolicy: policy }, { name: "web" });
  const { id } = await world.containers.create(request, NEVER);
  await world.containers.start(id);
  return id;
}

/** Waits for a fact of the container. */
async function until(
  containers: Containers,
  id: string,
  status: Status,
  restartCount: number,
): Promise<void> {
  for (const deadline = Date.now() + 5000; Date.now() < deadline; ) {
    const record = containers.inspect(id);
    if (record.state.status === status && record.restartCount === restartCount) return;
    await Bun.sleep(1);
  }
  throw new Error(`it is ${JSON.stringify(containers.inspect(id).state)}`);
}

test("on-failure restarts so often, counts, and then gives up; those who wait are told only then", async () => {
  using world = await openSmallWorld();
  const id = await started(world, { Name: "on-failure", MaximumRetryCount: 2 });
  let hasEnded = false;
  const waiting = world.containers.wait(id, "next-exit", NEVER).then((outcome) => {
    hasEnded = true;
    return outcome;
  });
  world.exit(id, 1);
  await until(world.containers, id, "running", 1);
  world.exit(id, 1);
  await until(world.containers, id, "running", 2);
  expect(hasEnded).toBe(false);
  world.exit(id, 3);
  expect(await waiting).toEqual({ exitCode: 3 });
  await until(world.containers, id, "exited", 2);
});

test("on-failure leaves a success alone", async () => {
  using world = await openSmallWorld();
  const id = await started(world, { Name: "on-failure" });
  world.exit(id, 0);
  await until(world.containers, id, "exited", 0);
});

test("a start by hand counts anew", async () => {
  using world = await openSmallWorld();
  const id = await started(world, { Name: "on-failure", MaximumRetryCount: 1 });
  world.exit(id, 1);
  await until(world.containers, id, "running", 1);
  world.exit(id, 1);
  await until(world.containers, id, "exited", 1);
  await world.containers.start(id);
  expect(world.containers.inspect(id).restartCount).toBe(0);
});

test("a policy that is changed while it runs holds from then on", async () => {
  using world = await openSmallWorld();
  const id = await started(world, { Name: "always" });
  const { hostConfig } = createRequest({}, { RestartPolicy: { Name: "no" } });
  await world.containers.update(id, hostConfig);
  world.exit(id, 1);
  await until(world.containers, id, "exited", 0);
});

test("always, stopped by hand, started with the engine: it is restarted again when it ends", async () => {
  using world = await openSmallWorld();
  const id = await started(world, { Name: "always" });
  world.exit(id, 1);
  await until(world.containers, id, "running", 1);
  await world.containers.stop(id, {});
  await world.containers.close();
  const next = await world.restarted([]);
  await until(next, id, "running", 0);
  expect(next.inspect(id).wasStoppedByHand).toBe(false);
  world.exit(id, 1);
  await until(next, id, "running", 1);
});

test("a restart that waited when the engine died goes on, and goes on counting", async () => {
  using world = await openSmallWorld();
  const id = await started(world, { Name: "on-failure", MaximumRetryCount: 2 });
  world.exit(id, 1);
  await until(world.containers, id, "running", 1);
  await world.containers.close();
  const next = await world.restarted([{ id, pid: 0, state: "exited", exit: FAILED }]);
  await until(next, id, "running", 2);
  world.exit(id, 1);
  await until(next, id, "exited", 2);
});

test("a restart that can not start the process is tried again", async () => {
  using world = await openSmallWorld();
  const id = await started(world, { Name: "always" });
  world.fail("create", new Error("no"));
  world.exit(id, 1);
  await until(world.containers, id, "restarting", 1);
  world.fail("create", undefined);
  await until(world.containers, id, "running", 2);
});
