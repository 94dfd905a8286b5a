import { expect, test } from "bun:test";
import { createRequest } from "./_fixtures/requests.ts";
import { openSmallWorld, type SmallWorld } from "./_fixtures/small-world.ts";
import type { LimitChange } from "./update.ts";

const NEVER = new AbortController().signal;
const MB = 2 ** 20;

async function started(world: SmallWorld, host: object = {}): Promise<string> {
  const { id } = await world.containers.create(
    createRequest({ Cmd: ["run"] }, { ...host }, { name: "web" }),
    NEVER,
  );
  await world.containers.start(id);
  return id;
}

const change = (host: object): LimitChange => createRequest({}, { ...host }).hostConfig;

const changes: [string, object, object, object[], object][] = [
  ["shares", {}, { CpuShares: 9 }, [{ cpu: { shares: 9 } }], { cpuShares: 9 }],
  ["processors", {}, { NanoCpus: 5e8 }, [{ cpu: { quota: 50_000, period: 100_000 } }], { nanoCpus: 5e8 }],
  [
    "a first memory limit, with as much swap again",
    {},
    { Memory: 10 * MB },
    [{ memory: { limit: 10 * MB, swap: 20 * MB } }],
    { memoryBytes: 10 * MB, memorySwapBytes: 20 * MB },
  ],
  [
    "memory below the swap it has",
    { Memory: 100 * MB },
    { Memory: 50 * MB },
    [{ memory: { limit: 50 * MB, swap: 200 * MB } }],
    { memoryBytes: 50 * MB, memorySwapBytes: 200 * MB },
  ],
  [
    "memory and unlimited swap",
    { Memory: 10 * MB },
    { Memory: 50 * MB, MemorySwap: -1 },
    [{ memory: { limit: 50 * MB, swap: -1 } }],
    { memoryBytes: 50 * MB, memorySwapBytes: -1 },
  ],
  [
    "swap alone",
    { Memory: 10 * MB },
    { MemorySwap: 40 * MB },
    [{ memory: { limit: 10 * MB, swap: 40 * MB } }],
    { memorySwapBytes: 40 * MB },
  ],
  ["processes", {}, { PidsLimit: 7 }, [{ pids: { limit: 7 } }], { pidsLimit: 7 }],
  [
    "no limit on processes",
    { PidsLimit: 7 },
    { PidsLimit: -1 },
    [{ pids: { limit: -1 } }],
    { pidsLimit: undefined },
  ],
  [
    "a restart policy alone touches no limit",
    { CpuShares: 9 },
    { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 } },
    [],
    { cpuShares: 9, restartPolicy: { name: "on-failure", maximumRetryCount: 2 } },
  ],
  ["nothing", { CpuShares: 9 }, {}, [], { cpuShares: 9, restartPolicy: { name: "no" } }],
];
for (const [name, has, asked, limits, after] of changes) {
  test(`update of ${name}`, async () => {
    using world = await openSmallWorld();
    const id = await started(world, has);
    await world.containers.update(id, change(asked));
    expect(world.limits).toEqual(limits);
    expect(world.containers.inspect(id).hostConfig).toMatchObject(after);
    expect(world.events.at(-1)?.action).toBe("update");
  });
}

const refusals: [string, object, object, string, string][] = [
  ["too little memory", {}, { Memory: 1 }, "invalid", "Minimum memory limit allowed is 6MB"],
  ["swap below memory", {}, { Memory: 20 * MB, MemorySwap: 10 * MB }, "invalid", "Minimum memoryswap limit"],
  ["too many processors", {}, { NanoCpus: 9e9 }, "invalid", "Range of CPUs is from 0.01 to 2.00"],
  ["an unknown policy", {}, { RestartPolicy: { Name: "x" } }, "invalid", "unknown policy 'x'"],
  [
    "processors over a period",
    { CpuPeriod: 50_000 },
    { NanoCpus: 1e9 },
    "conflict",
    "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
  ],
  [
    "processors over a quota",
    { CpuQuota: 50_000 },
    { NanoCpus: 1e9 },
    "conflict",
    "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
  ],
  [
    "a period over processors",
    { NanoCpus: 1e9 },
    { CpuPeriod: 50_000 },
    "conflict",
    "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
  ],
  [
    "a quota over processors",
    { NanoCpus: 1e9 },
    { CpuQuota: 50_000 },
    "conflict",
    "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
  ],
  [
    "memory over its swap",
    { Memory: 10 * MB },
    { Memory: 21 * MB },
    "conflict",
    "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
  ],
  [
    "a policy of one that is removed when it ends",
    { AutoRemove: true },
    { RestartPolicy: { Name: "always" } },
    "conflict",
    "Restart policy cannot be updated because AutoRemove is enabled for the container",
  ],
];
for (const [name, has, asked, kind, message] of refusals) {
  test(`update refuses ${name}, and changes nothing`, async () => {
    using world = await openSmallWorld();
    const id = await started(world, has);
    const before = world.containers.inspect(id);
    const failure: unknown = await world.containers
      .update(id, change(asked))
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind, message: expect.stringContaining(message) });
    expect(world.containers.inspect(id)).toBe(before);
    expect(world.limits).toEqual([]);
  });
}

test("limits that the kernel refuses are not kept", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  const before = world.containers.inspect(id);
  world.fail("update", new Error("no"));
  expect(world.containers.update(id, change({ CpuShares: 9 }))).rejects.toThrow("no");
  await world.containers.update(id, change({ CpuShares: 9 })).catch(() => undefined);
  expect(world.containers.inspect(id)).toBe(before);
});

test("limits of a container that does not run wait for its start", async () => {
  using world = await openSmallWorld();
  const { id } = await world.containers.create(createRequest({ Cmd: ["run"] }, {}, { name: "web" }), NEVER);
  await world.containers.update(id, change({ CpuShares: 9 }));
  expect(world.limits).toEqual([]);
  expect(world.containers.inspect(id).hostConfig.cpuShares).toBe(9);
});

test("top asks for the processes of the container's cgroup, and says that it was asked", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  expect(await world.containers.top(id, "", NEVER)).toEqual({ titles: ["PID"], rows: [["42"], ["43"]] });
  expect(world.events.at(-1)?.action).toBe("top");
  await world.containers.stop(id, {});
  expect(world.containers.top(id, "", NEVER)).rejects.toMatchObject({
    kind: "conflict",
    message: `container ${id} is not running`,
  });
});

const once = { streams: false, isOneShot: false };

test("one-shot answers at once, without a sample before", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  const [stats, ...more] = await Array.fromAsync(
    world.containers.stats(id, { ...once, isOneShot: true }, NEVER),
  );
  expect(more).toEqual([]);
  expect(stats).toMatchObject({ name: "web", sample: { cgroup: { pids: { count: 1 } } } });
  expect(stats).not.toHaveProperty("previous");
});

test("one that is not streamed has a sample of a second before", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  const all = await Array.fromAsync(world.containers.stats(id, once, NEVER));
  expect(all).toHaveLength(1);
  const [{ sample, previous } = { sample: undefined, previous: undefined }] = all;
  expect([previous?.cgroup.cpu.totalNs, sample?.cgroup.cpu.totalNs]).toEqual([1e9, 2e9]);
});

test("a container that does not run has a name and nothing else", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  await world.containers.stop(id, {});
  const [stats] = await Array.fromAsync(world.containers.stats(id, once, NEVER));
  expect(stats as unknown).toEqual({ id, name: "web", platform: "linux" });
});

test("a stream begins without a sample before, goes on after the end, and ends with the container", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  const stream = world.containers
    .stats(id, { streams: true, isOneShot: false }, NEVER)
    [Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await stream.next();
    if (done) return "end";
    return `${value.sample ? "sample" : "nothing"}${value.previous ? " after a sample" : ""}`;
  };
  expect(await next()).toBe("sample");
  expect(await next()).toBe("sample after a sample");
  await world.containers.stop(id, {});
  expect(await next()).toBe("nothing");
  await world.containers.remove(id, { force: false, removesVolumes: false });
  expect(await next()).toBe("end");
});

test("a stream ends when its client goes", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  const client = new AbortController();
  const stream = world.containers
    .stats(id, { streams: true, isOneShot: false }, client.signal)
    [Symbol.asyncIterator]();
  await stream.next();
  const rest = stream.next();
  client.abort();
  expect((await rest).done).toBe(true);
});

test("a stream of one is a contradiction, and nobody is not found", async () => {
  using world = await openSmallWorld();
  const id = await started(world);
  expect(() => world.containers.stats(id, { streams: true, isOneShot: true }, NEVER)).toThrow(
    "cannot have stream=true and one-shot=true",
  );
  expect(() => world.containers.stats("nope", once, NEVER)).toThrow("No such container: nope");
});
