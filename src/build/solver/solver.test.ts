import { expect, test } from "bun:test";
import {
  chainOf,
  graphOf,
  layerOf,
  MemoryExecutor,
  memoryCache,
  memorySources,
  type TextGraphOptions,
} from "../_fixtures/fakes.ts";
import type { SolveEvent } from "./events.ts";
import { Solver } from "./solver.ts";

const NEVER = new AbortController().signal;

function rig(): {
  executor: MemoryExecutor;
  solver: Solver;
  build: (
    text: string,
    options?: TextGraphOptions & { ignoresCache?: boolean; signal?: AbortSignal },
  ) => Promise<Built>;
} {
  const executor = new MemoryExecutor();
  const cache = memoryCache();
  let now = 0;
  let builds = 0;
  const solver = new Solver({ cache, executor, now: () => ++now, parallelism: 4 });
  return {
    executor,
    solver,
    build: async (text, { ignoresCache = false, signal = NEVER, ...options } = {}) => {
      const events: SolveEvent[] = [];
      const { result } = await graphOf(text, options);
      const before = executor.executed.length;
      const solved = await solver.solve(
        result.vertex,
        { ignoresCache, onEvent: (event) => void events.push(event), id: String(++builds) },
        signal,
      );
      const top = solved.get(result.vertex.digest);
      if (top === undefined) throw new Error("the target was not solved");
      return { events, executed: executor.executed.slice(before), chain: chainOf(top.fileSystem) };
    },
  };
}

interface Built {
  readonly events: readonly SolveEvent[];
  readonly executed: readonly string[];
  readonly chain: string;
}

function reasons({ events }: Built, kind: "hit" | "miss"): string[] {
  return events.flatMap((event) => (event.kind === kind ? [`${event.vertex.title}: ${event.reason}`] : []));
}

test("a second build of the same text executes nothing and gives the same files", async () => {
  const { build } = rig();
  const text = "FROM base\nRUN one\nENV a=b\nRUN two\n";
  const first = await build(text);
  const second = await build(text);
  expect(first.executed).toEqual(["RUN one", "RUN two"]);
  expect(second.executed).toEqual([]);
  expect(second.chain).toBe(first.chain);
  expect(reasons(second, "hit")).toEqual([
    "RUN two: the same step was built before",
    "RUN one: a step above it was built before",
  ]);
});

test("a changed step and those after it are executed again, each with the reason", async () => {
  const { build } = rig();
  await build("FROM base\nRUN one\nRUN two\nRUN three\n");
  const second = await build("FROM base\nRUN one\nRUN other\nRUN three\n");
  expect(second.executed).toEqual(["RUN other", "RUN three"]);
  expect(reasons(second, "miss")).toEqual([
    "RUN other: the command changed",
    "RUN three: a step before it changed",
  ]);
  expect(reasons(second, "hit")).toEqual(["RUN one: the same step was built before"]);
});

test("a changed variable is named", async () => {
  const { build } = rig();
  await build("FROM base\nENV VERSION=1\nRUN one\n");
  const second = await build("FROM base\nENV VERSION=2\nRUN one\n");
  expect(reasons(second, "miss")).toEqual(["RUN one: the variable VERSION changed"]);
});

test("a first build says that nothing was built before", async () => {
  const built = await rig().build("FROM base\nRUN one\n");
  expect(reasons(built, "miss")).toEqual(["RUN one: this step was not built before"]);
});

test("a step is not executed when what it stands on has the same content as before", async () => {
  const { build } = rig();
  // the comment makes another command, whose layer is the same
  await build("FROM base\nRUN one #a\nRUN two\n");
  const second = await build("FROM base\nRUN one #b\nRUN two\n");
  expect(second.executed).toEqual(["RUN one #b"]);
  expect(reasons(second, "hit")).toEqual(["RUN two: what it reads has the same content as before"]);
});

test("a copied file that changes is found by its content, another file does not matter", async () => {
  const { build } = rig();
  const text = "FROM base\nCOPY a /a\n";
  const sources = (a: string, b: string) =>
    memorySources(
      undefined,
      new Map([
        ["a", a],
        ["b", b],
      ]),
    );
  await build(text, { sources: sources("1", "1") });
  expect((await build(text, { sources: sources("1", "2") })).executed).toEqual([]);
  const third = await build(text, { sources: sources("2", "2") });
  expect(reasons(third, "miss")).toEqual(["COPY a /a: the content of the sources changed"]);
});

test("--no-cache executes everything, and its results serve the next build", async () => {
  const { build } = rig();
  const text = "FROM base\nRUN one\n";
  await build(text);
  const second = await build(text, { ignoresCache: true });
  expect(second.executed).toEqual(["RUN one"]);
  expect(reasons(second, "miss")).toEqual(["RUN one: the cache is not to be used"]);
  expect((await build(text)).executed).toEqual([]);
});

test("a record whose layers are gone is a miss", async () => {
  const { build, executor } = rig();
  const text = "FROM base\nRUN one\n";
  await build(text);
  executor.lost.add(layerOf("/bin/sh -c one").diffId);
  const second = await build(text);
  expect(reasons(second, "miss")).toEqual(["RUN one: its result is no longer in the cache"]);
});

test("stages that do not wait for each other run at the same time", async () => {
  const { build, executor } = rig();
  const gate = Promise.withResolvers<void>();
  executor.gates.set("RUN a", gate.promise);
  executor.gates.set("RUN b", gate.promise);
  const building = build(
    "FROM base AS a\nRUN a\nFROM base AS b\nRUN b\nFROM base\nCOPY --from=a /x /\nCOPY --from=b /x /\n",
  );
  while (executor.peak < 2) await Bun.sleep(1);
  gate.resolve();
  expect((await building).executed).toHaveLength(4);
});

test("two builds at once execute an equal step once, and both see its output", async () => {
  const { build, executor } = rig();
  const gate = Promise.withResolvers<void>();
  executor.gates.set("RUN one", gate.promise);
  const both = [build("FROM base\nRUN one\nRUN left\n"), build("FROM base\nRUN one\nRUN right\n")];
  while (executor.executed.length === 0) await Bun.sleep(1);
  await Bun.sleep(1);
  gate.resolve();
  const built = await Promise.all(both);
  expect(executor.executed.toSorted()).toEqual(["RUN left", "RUN one", "RUN right"]);
  for (const { events } of built) {
    expect(
      events.filter((event) => event.kind === "output" && event.vertex.title === "RUN one"),
    ).toHaveLength(1);
  }
});

test("when one of two builds leaves, the shared step goes on for the other", async () => {
  const { build, executor } = rig();
  const gate = Promise.withResolvers<void>();
  executor.gates.set("RUN one", gate.promise);
  const leaver = new AbortController();
  const leaving = build("FROM base\nRUN one\n", { signal: leaver.signal });
  const staying = build("FROM base\nRUN one\n");
  while (executor.executed.length === 0) await Bun.sleep(1);
  leaver.abort(new Error("gone"));
  await expect(leaving).rejects.toThrow("gone");
  gate.resolve();
  await staying;
  expect(executor.executed).toEqual(["RUN one"]);
});

test("a cancelled build stops its steps and records nothing", async () => {
  const { build, executor } = rig();
  executor.gates.set("RUN one", new Promise(() => undefined));
  const stop = new AbortController();
  const building = build("FROM base\nRUN one\n", { signal: stop.signal });
  while (executor.executed.length === 0) await Bun.sleep(1);
  stop.abort(new Error("stopped"));
  await expect(building).rejects.toThrow("stopped");
  executor.gates.clear();
  expect((await build("FROM base\nRUN one\n")).executed).toEqual(["RUN one"]);
});

test("the first failure is thrown, and stages beside it are stopped by then", async () => {
  const { build, executor } = rig();
  executor.gates.set("RUN waits", new Promise(() => undefined));
  executor.failures.set("RUN fails", new Error("no"));
  const text =
    "FROM base AS a\nRUN waits\nFROM base AS b\nRUN fails\nFROM base\nCOPY --from=a / /\nCOPY --from=b / /\n";
  await expect(build(text)).rejects.toThrow("no");
});

test("an equal step in two stages of one build is executed once", async () => {
  const built = await rig().build(
    "FROM base AS a\nRUN same\nFROM base AS b\nRUN same\nRUN more\nFROM base\nCOPY --from=a / /a\nCOPY --from=b / /b\n",
  );
  expect(built.executed.filter((title) => title === "RUN same")).toHaveLength(1);
});
