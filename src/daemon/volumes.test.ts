import { expect, test } from "bun:test";
import type { EngineEvent } from "#base/event.ts";
import { EngineError } from "#base/errors.ts";
import type { Volume, VolumeRequest } from "#store/volume/volume-store.ts";
import { Volumes } from "./volumes.ts";

const ANONYMOUS = "com.docker.volume.anonymous";

interface World {
  readonly volumes: Volumes;
  readonly events: EngineEvent[];
  /** Called while a volume is measured. */
  onMeasure: () => void;
  readonly users: Map<string, string[]>;
  names(): string[];
}

function open(...made: readonly (VolumeRequest & { readonly name: string })[]): World {
  const kept = new Map<string, Volume>();
  const put = ({ name = "new", labels = {} }: VolumeRequest): Volume => {
    const volume: Volume = { name, driver: "local", labels, createdAt: 0 };
    kept.set(name, volume);
    return volume;
  };
  made.forEach(put);
  const world: World = {
    events: [],
    users: new Map(),
    onMeasure: () => undefined,
    names: () => [...kept.keys()],
    volumes: new Volumes({
      store: {
        create: async (request) => kept.get(request.name ?? "") ?? put(request),
        find: (name) => kept.get(name),
        get: (name) => kept.get(name) ?? put({ name }),
        list: () => [...kept.values()],
        remove: async (name) => void kept.delete(name),
        async usage() {
          world.onMeasure();
          return await Promise.resolve({ sizeBytes: 10 });
        },
      },
      usersOf: (name) => world.users.get(name) ?? [],
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
