import { expect, test } from "bun:test";
import type { EngineEvent } from "#base/event.ts";
import { EngineError } from "#base/errors.ts";
import type { Volume, VolumeRequest } from "#store/volume/volume.ts";
import { Volumes } from "./volumes.ts";

const ANONYMOUS = "com.docker.volume.anonymous";

interface World {
  readonly volumes: Volumes;
  readonly events: EngineEvent[];
  /** Called while a volume is measured. */
  onMeasure: () => void;
  /** Called while an archive is extracted. */
  onExtract: () => void;
  readonly users: Map<string, string[]>;
  readonly active: Map<string, string[]>;
  readonly full: Set<string>;
  /** What was asked of the store and of containers. */
  readonly steps: string[];
  names(): string[];
}

function open(...made: readonly (VolumeRequest & { readonly name: string })[]): World {
  const kept = new Map<string, Volume>();
  const put = ({ name = "new", labels = {} }: VolumeRequest): Volume => {
    const volume: Volume = { name, driver: "local", labels, options: {}, createdAt: 0 };
    kept.set(name, volume);
    return volume;
  };
  made.forEach(put);
  const world: World = {
    events: [],
    users: new Map(),
    onMeasure: () => undefined,
    onExtract: () => undefined,
    active: new Map(),
    full: new Set(),
    steps: [],
    names: () => [...kept.keys()],
    volumes: new Volumes({
      store: {
        create: async (request) => kept.get(request.name ?? "") ?? put(request),
        find: (name) => kept.get(name),
        get: (name) => kept.get(name) ?? put({ name }),
        list: () => [...kept.values()],
        remove: async (name) => void kept.delete(name),
        createFilled: async (request, { fill, confirm }) => {
          await fill("/staged");
          confirm();
          return put(request);
        },
        rename(name, newName, follow) {
          const volume = { ...(kept.get(name) ?? put({ name })), name: newName };
          kept.delete(name);
          kept.set(newName, volume);
          follow(name, newName);
          return volume;
        },
        path: (name) => `/volumes/${name}/_data`,
        isEmpty: (name) => !world.full.has(name),
        copyTo: async (name) => void world.steps.push(`copy ${name}`),
        hold: async (name) => void world.steps.push(`hold ${name}`),
        release: () => void world.steps.push("release"),
        async usage() {
          world.onMeasure();
          return await Promise.resolve({ sizeBytes: 10 });
        },
      },
      users: {
        usersOfVolume: (name) => world.users.get(name) ?? [],
        activeUsersOfVolume: (name) => world.active.get(name) ?? [],
        renameVolume: (name, newName) => void world.steps.push(`follow ${name} ${newName}`),
      },
      archiver: {
        async *pack(path) {
          yield Buffer.from(path);
        },
        extract: async (path) => {
          world.steps.push(`extract ${path}`);
          world.onExtract();
          await Promise.resolve();
        },
      },
      emit: (event) => world.events.push(event),
    }),
  };
  return world;
}

const THREE = [
  { name: "anonymous", labels: { [ANONYMOUS]: "" } },
  { name: "data", labels: { tier: "back" } },
  { name: "used" },
] as const;

function three(): World {
  const world = open(...THREE);
  world.users.set("used", ["c1"]);
  return world;
}

const lists: [Record<string, string[]>, string[]][] = [
  [{}, ["anonymous", "data", "used"]],
  [{ dangling: ["true"] }, ["anonymous", "data"]],
  [{ dangling: ["0"] }, ["used"]],
  [{ driver: ["local"] }, ["anonymous", "data", "used"]],
  [{ driver: ["nfs"] }, []],
  [{ name: ["a"] }, ["anonymous", "data"]],
  [{ name: ["^d", "^u"] }, ["data", "used"]],
  [{ label: ["tier"] }, ["data"]],
  [{ label: ["tier=front"] }, []],
  [{ label: ["tier"], dangling: ["1"] }, ["data"]],
];

for (const [filters, want] of lists) {
  test(`${JSON.stringify(filters)} lists ${want.join(", ") || "nothing"}`, () => {
    expect(
      three()
        .volumes.list(new Map(Object.entries(filters)))
        .map(({ name }) => name),
    ).toEqual(want);
  });
}

for (const filters of [{ nope: ["x"] }, { dangling: ["perhaps"] }, { dangling: ["true", "false"] }]) {
  test(`${JSON.stringify(filters)} is refused`, () => {
    expect(() => three().volumes.list(new Map(Object.entries(filters)))).toThrow(/^invalid filter '/);
  });
}

const prunes: [filters: Record<string, string[]>, namedToo: boolean, left: string[]][] = [
  [{}, false, ["data", "used"]],
  [{}, true, ["used"]],
  [{ all: ["true"] }, false, ["used"]],
  [{ all: ["false"] }, false, ["data", "used"]],
  [{ all: ["1"], label: ["tier=back"] }, false, ["anonymous", "used"]],
  [{ all: ["1"], "label!": ["tier"] }, false, ["data", "used"]],
];

for (const [filters, namedToo, left] of prunes) {
  test(`prune ${JSON.stringify(filters)}${namedToo ? ", as before API 1.42," : ""} leaves ${left.join(", ")}`, async () => {
    const world = three();
    const { removed, reclaimedBytes } = await world.volumes.prune(new Map(Object.entries(filters)), {
      namedToo,
    });
    expect(world.names()).toEqual(left);
    expect(reclaimedBytes).toBe(10 * removed.length);
    expect(world.events.map(({ action, id }) => `${action} ${id}`)).toEqual([
      ...removed.map((name) => `destroy ${name}`),
      "prune ",
    ]);
  });
}

test("a volume that a container takes while it is measured is not pruned", async () => {
  const world = open({ name: "data" });
  world.onMeasure = () => world.users.set("data", ["c1"]);
  expect(await world.volumes.prune(new Map(), { namedToo: true })).toEqual({
    removed: [],
    reclaimedBytes: 0,
  });
  expect(world.names()).toEqual(["data"]);
});

test("a volume in use is not removed, not even by force", async () => {
  const world = three();
  for (const force of [false, true]) {
    const error: unknown = await world.volumes.remove("used", { force }).catch((reason: unknown) => reason);
    expect(EngineError.is(error, "conflict")).toBe(true);
    expect(String(error)).toContain("remove used: volume is in use - [c1]");
  }
});

test("a volume that is not there is removed by force alone", async () => {
  const { volumes } = three();
  await volumes.remove("nope", { force: true });
  expect(volumes.remove("nope", { force: false })).rejects.toThrow("get nope: no such volume");
});

test("making a volume that is there already is no event", async () => {
  const world = three();
  await world.volumes.create({ name: "data" });
  await world.volumes.create({ name: "fresh" });
  expect(world.events.map(({ action, id }) => `${action} ${id}`)).toEqual(["create fresh"]);
});

test("a rename is followed by containers, unless one has the volume mounted", () => {
  const world = three();
  world.volumes.rename("used", "kept");
  expect(world.steps).toEqual(["follow used kept"]);
  expect(world.events.map(({ action, attributes }) => [action, attributes["oldName"]])).toEqual([
    ["rename", "used"],
  ]);
  world.active.set("data", ["c2"]);
  expect(() => world.volumes.rename("data", "other")).toThrow("rename data: volume is in use - [c2]");
  expect(world.names()).toEqual(["anonymous", "data", "kept"]);
});

test("a clone has the labels, and the data while they are there", async () => {
  const world = three();
  const { name, labels } = await world.volumes.clone("data", "copy");
  expect({ name, labels }).toEqual({ name: "copy", labels: { tier: "back" } });
  expect(world.steps).toEqual(["hold data", "copy data", "release"]);
  expect(world.volumes.clone("data", "used")).rejects.toThrow('a volume named "used" already exists');
});

test("an export holds the data until it is read", async () => {
  const world = three();
  const chunks = await Array.fromAsync(await world.volumes.export("data", AbortSignal.timeout(1000)));
  expect(chunks.map(String)).toEqual(["/volumes/data/_data"]);
  expect(world.steps).toEqual(["hold data", "release"]);
});

const NOTHING = (async function* (): AsyncGenerator<Uint8Array, void> {})();
const OPTIONS = { replaces: false, signal: new AbortController().signal };

test("what an import would overwrite is asked for", async () => {
  const world = three();
  world.full.add("data");
  expect(world.volumes.import("data", NOTHING, OPTIONS)).rejects.toThrow("import data: volume is not empty");
  await world.volumes.import("data", NOTHING, { ...OPTIONS, replaces: true });
  await world.volumes.import("fresh", NOTHING, OPTIONS);
  expect(world.steps).toEqual(["extract /staged", "extract /staged"]);
  expect(world.events.map(({ action, id }) => `${action} ${id}`)).toEqual(["create fresh"]);
});

test("an import that finds its volume in use at its end gives up", async () => {
  const world = three();
  world.onExtract = () => world.active.set("data", ["c3"]);
  expect(world.volumes.import("data", NOTHING, OPTIONS)).rejects.toThrow("volume is in use - [c3]");
});
