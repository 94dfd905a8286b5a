import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { createRequest } from "./_fixtures/requests.ts";
import { openSmallWorld, type SmallWorld, type Step } from "./_fixtures/small-world.ts";
import type { Status } from "./state.ts";

const NEVER = new AbortController().signal;
const EMPTY = { snapshots: [], volumes: [], mounts: [], attached: [], running: [] };
const ALL = { all: true, filters: new Map() };

async function made(world: SmallWorld, host: object = {}, name = "web"): Promise<string> {
  return (await world.containers.create(createRequest({ Cmd: ["run"] }, { ...host }, { name }), NEVER)).id;
}

async function started(world: SmallWorld, host: object = {}): Promise<string> {
  const id = await made(world, host);
  await world.containers.start(id);
  return id;
}

const actions = ({ events }: SmallWorld): string[] => events.map(({ action }) => action);
const failure = new EngineError("internal", "no");

test("create keeps a record and a snapshot, and says so after it is saved", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  expect(world.containers.inspect("web")).toMatchObject({ id, name: "web", state: { status: "created" } });
  expect(world.holdings()).toEqual({ ...EMPTY, snapshots: [id] });
  expect(world.events).toMatchObject([
    { type: "container", action: "create", id, attributes: { name: "web", image: "busybox" } },
  ]);
});

for (const step of ["prepare", "volume", "mount", "populate", "put"] satisfies Step[]) {
  test(`a create that fails at ${step} leaves nothing`, async () => {
    using world = await openSmallWorld();
    const request = createRequest({ Cmd: ["run"] }, { Binds: ["named:/data"] }, { name: "web" });
    world.fail(step, failure);
    expect(world.containers.create(request, NEVER)).rejects.toThrow("no");
    await world.containers.create(request, NEVER).catch(() => undefined);
    expect(world.holdings()).toEqual(EMPTY);
    expect(world.containers.list(ALL)).toEqual([]);
    expect(actions(world).filter((action) => action !== "create")).toEqual([]);
    world.fail(step, undefined);
    await world.containers.create(request, NEVER);
  });
}

const refused: [string, object, object, string, RegExp][] = [
  ["an unknown image", { Image: "nope" }, {}, "not-found", /^No such image: nope$/],
  ["no command", { Cmd: [], Entrypoint: [""] }, {}, "invalid", /^no command specified$/],
  ["an unknown network", {}, { NetworkMode: "web" }, "invalid", /^network web not found$/],
  ["an unknown container's network", {}, { NetworkMode: "container:x" }, "invalid", /^No such container: x$/],
  [
    "a bind of nothing",
    {},
    { Mounts: [{ Type: "bind", Source: "/no/such", Target: "/x" }] },
    "invalid",
    /bind source path does not exist: \/no\/such/,
  ],
  ["an unknown capability", {}, { CapAdd: ["NOPE"] }, "invalid", /CAP_NOPE/],
  [
    "a setting of the host",
    {},
    { Sysctls: { "kernel.core_pattern": "|/x" } },
    "invalid",
    /kernel.core_pattern/,
  ],
  [
    "a setting that smuggles another",
    {},
    { Sysctls: { "net.ipv4.ip_forward": "1\nkernel.core_pattern=x" } },
    "invalid",
    /net.ipv4.ip_forward/,
  ],
];
for (const [name, config, host, kind, message] of refused) {
  test(`create with ${name} is ${kind}`, async () => {
    using world = await openSmallWorld();
    const request = createRequest({ Cmd: ["run"], ...config }, { ...host });
    const error: unknown = await world.containers.create(request, NEVER).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind, message: expect.stringMatching(message) });
    expect(world.holdings()).toEqual(EMPTY);
  });
}

test("a taken name is refused in Docker's words, also while its owner is being made", async () => {
  using world = await openSmallWorld();
  const release = world.hold("prepare");
  const first = made(world);
  const second = made(world);
  expect(second).rejects.toThrow(
    /^Conflict. The container name "\/web" is already in use by container "[0-9a-f]{64}"/,
  );
  await second.catch(() => undefined);
  release();
  await first;
});

test("a container is found by id, name, name with slash and unique prefix", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  for (const reference of [id, "web", "/web", id.slice(0, 12), id.slice(0, 3)]) {
    expect(world.containers.inspect(reference).id as string).toBe(id);
  }
  expect(() => world.containers.inspect("nope")).toThrow("No such container: nope");
});

test("a container that is being made holds its volumes, until it is made or has failed", async () => {
  using world = await openSmallWorld();
  const release = world.hold("prepare");
  const making = made(world, { Binds: ["data:/data"] });
  expect(world.containers.usersOfVolume("data")).toHaveLength(1);
  expect(world.containers.usersOfVolume("other")).toEqual([]);
  release();
  const id = await making;
  expect<string[]>(world.containers.usersOfVolume("data")).toEqual([id]);
  await world.containers.remove(id, { force: false, removesVolumes: true });
  expect(world.containers.usersOfVolume("data")).toEqual([]);
  world.fail("prepare", failure);
  await made(world, { Binds: ["data:/data"] }).catch(() => undefined);
  expect(world.containers.usersOfVolume("data")).toEqual([]);
});

test("a create that fails leaves a volume that another container has taken meanwhile", async () => {
  using world = await openSmallWorld();
  const release = world.hold("populate");
  const first = made(world, { Binds: ["data:/data"] }, "first");
  while (!world.steps.some((step) => step.startsWith("populate"))) await Bun.sleep(1);
  const second = await made(world, { Binds: ["data:/data"] }, "second");
  world.fail("put", failure);
  release();
  expect(first).rejects.toThrow();
  await first.catch(() => undefined);
  expect(world.holdings().volumes).toEqual(["data"]);
  expect<string[]>(world.containers.usersOfVolume("data")).toEqual([second]);
});

test("a container has started when its process could first write", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  const release = world.hold("start");
  const starting = world.containers.start(id);
  while (!world.steps.some((step) => step.startsWith("start"))) await Bun.sleep(1);
  world.advance(500);
  release();
  await starting;
  expect(world.containers.inspect(id).state).toMatchObject({ status: "running", startedAt: 1_000_000 });
});

for (const step of ["attach", "mount", "create", "start"] satisfies Step[]) {
  test(`a start that fails at ${step} is undone whole and says why`, async () => {
    using world = await openSmallWorld();
    const id = await made(world);
    world.fail(step, failure);
    expect(world.containers.start(id)).rejects.toThrow("no");
    await world.containers.start(id).catch(() => undefined);
    expect(world.holdings()).toEqual({ ...EMPTY, snapshots: [id] });
    expect(world.containers.inspect(id).state).toMatchObject({
      status: "created",
      failure: { exitCode: 128 },
    });
    world.fail(step, undefined);
    expect(await world.containers.start(id)).toBe("started");
    expect(await world.containers.start(id)).toBe("already-started");
  });
}

test("a failed start removes a container with AutoRemove and wakes who waits for that", async () => {
  using world = await openSmallWorld();
  const id = await made(world, { AutoRemove: true });
  const removed = world.containers.wait(id, "removed", NEVER);
  world.fail("create", failure);
  await world.containers.start(id).catch(() => undefined);
  expect(await removed).toEqual({ exitCode: 128 });
  expect(world.holdings()).toEqual(EMPTY);
});

test("two starts at once start one process", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  const outcomes = await Promise.all([world.containers.start(id), world.containers.start(id)]);
  expect(outcomes).toEqual(["started", "already-started"]);
  expect(world.steps.filter((step) => step === "create")).toHaveLength(1);
});

test("wait is answered before the clean-up, and the next start after it", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  const release = world.hold("delete");
  const over = world.containers.wait(id, "next-exit", NEVER);
  world.exit(id, 7);
  expect(await over).toEqual({ exitCode: 7 });
  // Not even begun: what it does first blocks.
  expect(world.steps).not.toContain("delete");
  expect(world.holdings().running).toEqual([id]);
  const again = world.containers.start(id);
  release();
  await again;
  expect(world.steps.lastIndexOf("mount")).toBeGreaterThan(world.steps.lastIndexOf("delete"));
  expect(world.containers.inspect(id).state.status).toBe("running");
});

test("with AutoRemove who waits for the removal is answered before the disk is touched, ports being free", async () => {
  using world = await openSmallWorld();
  const id = await started(world, {
    AutoRemove: true,
    NetworkMode: "bridge",
    PortBindings: { "80/tcp": [{ HostPort: "8080" }] },
  });
  const release = world.hold("delete");
  const removed = world.containers.wait(id, "removed", NEVER);
  world.exit(id, 7);
  expect(await removed).toEqual({ exitCode: 7 });
  expect(world.steps).not.toContain("delete");
  expect(world.holdings()).toMatchObject({ snapshots: [id], attached: [] });
  expect(world.containers.list(ALL)).toEqual([]);
  release();
  await world.containers.close();
  expect(world.holdings()).toEqual(EMPTY);
});

const waits: [Status, (world: SmallWorld, id: string) => Promise<unknown>, boolean][] = [
  ["created", async () => undefined, true],
  ["running", (world, id) => world.containers.start(id), false],
  ["exited", (world, id) => world.containers.start(id).then(() => world.containers.stop(id, {})), true],
];
for (const [status, bring, isAnswered] of waits) {
  test(`wait for not-running is ${isAnswered ? "" : "not "}answered at once when ${status}; next-exit never is`, async () => {
    using world = await openSmallWorld();
    const id = await made(world);
    await bring(world, id);
    const isAnsweredNow = async (condition: "not-running" | "next-exit"): Promise<boolean> => {
      const gone = new AbortController();
      const answer = world.containers.wait(id, condition, gone.signal).then(
        () => true,
        () => false,
      );
      setTimeout(() => gone.abort(new Error("gone")), 1);
      return await answer;
    };
    expect(await isAnsweredNow("not-running")).toBe(isAnswered);
    expect(await isAnsweredNow("next-exit")).toBe(false);
  });
}

test("removal wakes who waits for the end of a container that never ran", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  const waits = Promise.all([
    world.containers.wait(id, "next-exit", NEVER),
    world.containers.wait(id, "removed", NEVER),
  ]);
  await world.containers.remove(id, { force: false, removesVolumes: false });
  expect(await waits).toEqual([{ exitCode: 0 }, { exitCode: 0 }]);
});

test("a running container is removed only by force; its events are kill, die, destroy", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  const gently = world.containers.remove(id, { force: false, removesVolumes: false });
  expect(gently).rejects.toThrow(
    'cannot remove container "web": container is running: stop the container before removing or force remove',
  );
  await gently.catch(() => undefined);
  await world.containers.remove(id, { force: true, removesVolumes: false });
  expect(actions(world)).toEqual(["create", "start", "kill", "die", "destroy"]);
  expect(world.holdings()).toEqual(EMPTY);
});

test("a second removal while one goes on is refused", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  const release = world.hold("removeActive");
  const first = world.containers.remove(id, { force: false, removesVolumes: false });
  expect(world.containers.remove(id, { force: true, removesVolumes: false })).rejects.toThrow(
    `removal of container ${id} is already in progress`,
  );
  release();
  await first;
});

test("a container that can not be deleted whole is dead, and can be removed again", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  world.fail("removeActive", failure);
  await world.containers.remove(id, { force: false, removesVolumes: false }).catch(() => undefined);
  expect(world.containers.inspect(id).state.status).toBe("dead");
  expect(world.containers.start(id)).rejects.toMatchObject({ kind: "conflict" });
  world.fail("removeActive", undefined);
  await world.containers.remove(id, { force: false, removesVolumes: false });
  expect(world.holdings()).toEqual(EMPTY);
});

test("removal takes anonymous volumes when asked, named ones never, shared ones not", async () => {
  using world = await openSmallWorld();
  const host = { Binds: ["named:/named"], Mounts: [{ Type: "volume", Target: "/anon" }] };
  const id = await made(world, host);
  const other = await made(world, { VolumesFrom: ["web"] }, "other");
  await world.containers.remove(id, { force: false, removesVolumes: true });
  expect(world.holdings().volumes).toHaveLength(2);
  await world.containers.remove(other, { force: false, removesVolumes: true });
  expect(world.holdings().volumes).toContain("named");
});

test("stop ends the process and says kill, die, stop; a stopped container stays as it is", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  expect(await world.containers.stop(id, {})).toBe("stopped");
  expect(await world.containers.stop(id, {})).toBe("already-stopped");
  expect(world.events.slice(2)).toMatchObject([
    { action: "kill", attributes: { signal: "15" } },
    { action: "die", attributes: { exitCode: "143" } },
    { action: "stop" },
  ]);
});

test("restart of a stopped container starts it", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  await world.containers.restart(id, {});
  expect(actions(world)).toEqual(["create", "start", "restart"]);
});

test("rename moves the name and tells the old one", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  const other = await made(world, {}, "other");
  await world.containers.rename(id, "/db");
  expect(world.containers.inspect("db").id as string).toBe(id);
  expect(() => world.containers.inspect("web")).toThrow("No such container: web");
  expect(world.events.at(-1)).toMatchObject({
    action: "rename",
    attributes: { name: "db", oldName: "/web" },
  });
  expect(world.containers.rename(other, "db")).rejects.toMatchObject({ kind: "conflict" });
  expect(world.containers.rename(other, "")).rejects.toThrow("Neither old nor new names may be empty");
});

test("prune removes what does not run and counts its bytes", async () => {
  using world = await openSmallWorld();
  const id = await made(world);
  await world.containers.start(await made(world, {}, "steady"));
  const { removed, reclaimedBytes } = await world.containers.prune(new Map());
  expect({ removed: removed.map(String), reclaimedBytes }).toEqual({ removed: [id], reclaimedBytes: 10 });
  expect(world.containers.prune(new Map([["nope", ["x"]]]))).rejects.toThrow("invalid filter 'nope'");
});

test("a log that is not kept can not be read", async () => {
  using world = await openSmallWorld();
  const id = await made(world, { LogConfig: { Type: "none" } });
  expect(() => world.containers.logs(id, { stdout: true, stderr: true, follows: false }, NEVER)).toThrow(
    "configured logging driver does not support reading",
  );
});
