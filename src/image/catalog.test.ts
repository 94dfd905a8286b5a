import { expect, test } from "bun:test";
import { silentLogger } from "#base/log.ts";
import { type Contents, dockerArchive, manifestOf, sampleImage, tarOf } from "./_fixtures/archives.ts";
import { type OpenImages, openImages } from "./_fixtures/open-images.ts";
import { NO_SIGNAL, stream } from "./_fixtures/streams.ts";
import { Catalog } from "./catalog.ts";
import type { Image, ImageUser } from "./image.ts";

async function load(store: OpenImages, name: string, files: Contents, created?: string): Promise<Image> {
  const image = await sampleImage([files], created === undefined ? {} : { created });
  const archive = await tarOf(dockerArchive(image, [name]));
  const [loaded] = await store.images.load(stream(archive), { progress: () => undefined }, NO_SIGNAL);
  if (!loaded) throw new Error("nothing was loaded");
  store.events.length = 0;
  return loaded;
}

const names = async (store: OpenImages): Promise<string[][]> =>
  (await store.images.list()).map(({ references }) => references.map(String));

const nobody: readonly ImageUser[] = [];

test("tag() gives another name and tells of it", async () => {
  await using store = await openImages();
  const image = await load(store, "a:1", { x: "1" });
  await store.images.tag(image, "b");
  expect(await names(store)).toEqual([["docker.io/library/a:1", "docker.io/library/b:latest"]]);
  expect(store.events).toEqual([
    { type: "image", action: "tag", id: image.id, attributes: { name: "b:latest" } },
  ]);
});

test("tag() over another image's last name leaves that one dangling, found by its id", async () => {
  await using store = await openImages();
  const old = await load(store, "a", { x: "1" });
  const news = await load(store, "b", { x: "2" });
  await store.images.tag(news, "a");
  expect((await names(store)).map((list) => list.length).toSorted((a, b) => a - b)).toEqual([0, 2]);
  expect(store.images.resolve(old.id).references).toEqual([]);
  expect(store.images.resolve("a").id).toBe(news.id);
});

test("a dangling image that is given a name is dangling no more", async () => {
  await using store = await openImages();
  const old = await load(store, "a", { x: "1" });
  await load(store, "a", { x: "2" });
  await store.images.tag(old, "old");
  expect(store.images.resolve("old").id).toBe(old.id);
  expect(store.database.references.all().map(({ reference }) => String(reference))).toEqual([
    "docker.io/library/a:latest",
    "docker.io/library/old:latest",
  ]);
});

test("remove() of the last name deletes the image and collects garbage", async () => {
  await using store = await openImages();
  const image = await load(store, "a", { x: "1" });
  const removed = await store.images.remove("a", { force: false, users: nobody });
  expect(removed).toEqual([
    { kind: "untagged", name: "a:latest" },
    { kind: "deleted", id: image.id },
  ]);
  expect(await store.images.list()).toEqual([]);
  expect(store.database.references.all()).toEqual([]);
  expect(store.collections()).toBe(1);
  expect(store.events.map(({ action, attributes }) => [action, attributes["name"]])).toEqual([
    ["untag", "a:latest"],
    ["delete", image.id],
  ]);
});

test("remove() by force of an image in use leaves it dangling", async () => {
  await using store = await openImages();
  const image = await load(store, "a", { x: "1" });
  const users = [{ containerId: "c".repeat(64), isRunning: true }];
  expect(await store.images.remove("a", { force: true, users })).toEqual([
    { kind: "untagged", name: "a:latest" },
  ]);
  expect(store.images.resolve(image.id).references).toEqual([]);
  expect(store.collections()).toBe(0);
});

test("remove() is done also when garbage cannot be collected", async () => {
  await using store = await openImages({ collectGarbage: () => Promise.reject(new Error("disk")) });
  await load(store, "a", { x: "1" });
  expect(await store.images.remove("a", { force: false, users: nobody })).toHaveLength(2);
});

test("prune() takes dangling images that nobody uses, or all unused ones", async () => {
  await using store = await openImages();
  const old = await load(store, "a", { x: "1" });
  const used = await load(store, "a", { x: "2" });
  await load(store, "a", { x: "3" });
  const usersOf = (id: string): readonly ImageUser[] =>
    id === used.id ? [{ containerId: "c".repeat(64), isRunning: false }] : [];
  expect(await store.images.prune({ danglingOnly: true }, usersOf)).toEqual({
    removed: [{ kind: "deleted", id: old.id }],
    reclaimedBytes: 7,
  });
  expect(store.events.at(-1)).toEqual({
    type: "image",
    action: "prune",
    id: "",
    attributes: { reclaimed: "7" },
  });
  await store.images.prune({ danglingOnly: false }, usersOf);
  expect((await store.images.list()).map(({ id }) => id)).toEqual([used.id]);
});

test("prune() while one runs is a conflict", async () => {
  const gate = Promise.withResolvers<{ readonly reclaimedBytes: number }>();
  await using store = await openImages({ collectGarbage: () => gate.promise });
  const first = store.images.prune({ danglingOnly: true }, () => nobody);
  await expect(store.images.prune({ danglingOnly: true }, () => nobody)).rejects.toThrow(
    "a prune operation is already running",
  );
  gate.resolve({ reclaimedBytes: 0 });
  await first;
});

test("list() has the newest first", async () => {
  await using store = await openImages();
  await load(store, "old", { x: "1" }, "2020-01-01T00:00:00Z");
  await load(store, "new", { x: "2" }, "2025-01-01T00:00:00Z");
  await load(store, "middle", { x: "3" }, "2022-01-01T00:00:00Z");
  expect((await names(store)).flat().map((name) => name.split("/").at(-1))).toEqual([
    "new:latest",
    "middle:latest",
    "old:latest",
  ]);
});

test("all is there again after a restart, dangling images too; a damaged one is passed over", async () => {
  await using store = await openImages();
  const old = await load(store, "a", { x: "1" });
  const news = await load(store, "a", { x: "2" });
  const damaged = await load(store, "c", { x: "3" });
  await store.content.remove(damaged.configDigest);
  const again = await Catalog.open({
    content: store.content,
    records: store.database,
    clock: () => 1,
    log: silentLogger,
  });
  expect(new Set(again.list().map(({ id }) => id))).toEqual(new Set([old.id, news.id]));
  expect(again.get("a").id).toBe(news.id);
  expect(again.find("c")).toBeUndefined();
});

test("create() writes an image from stored layers, and the same content gives the same id", async () => {
  await using store = await openImages();
  const base = await load(store, "a", { x: "1" });
  const config = { ...base.config, config: { cmd: ["true"] } };
  const made = await store.images.create({ config, layers: base.manifest.layers });
  const named = await store.images.create({
    config,
    layers: base.manifest.layers,
    reference: store.images.resolve("a").references[0],
  });
  expect(named.id).toBe(made.id);
  expect(store.images.resolve("a").config.config.cmd).toEqual(["true"]);
  expect(store.events).toEqual([]);
  await expect(store.images.create({ config, layers: [] })).rejects.toThrow("names 1 layers, its manifest 0");
});

test("history() pairs layers with the steps that made them, newest first", async () => {
  await using store = await openImages();
  const image = await sampleImage([{ a: "12345" }, { b: "1" }], {
    history: [
      { createdBy: "first", created: "2020-01-01T00:00:00Z" },
      { createdBy: "nothing", emptyLayer: true },
      { createdBy: "second", comment: "why" },
    ],
  });
  await store.images.load(
    stream(await tarOf(dockerArchive(image, ["a"]))),
    { progress: () => undefined },
    NO_SIGNAL,
  );
  const steps = store.images.history(store.images.resolve("a"));
  expect(
    steps.map(({ id, createdBy, sizeBytes, comment, tags }) => [id, createdBy, sizeBytes, comment, tags]),
  ).toEqual([
    [manifestOf(image).digest, "second", 1, "why", ["a:latest"]],
    [undefined, "nothing", 0, "", []],
    [undefined, "first", 5, "", []],
  ]);
});

test("two unpacks of one image at once do the work once", async () => {
  await using store = await openImages();
  const image = await sampleImage([{ a: "1" }, { b: "2" }, { c: "3" }], {
    platform: { os: "linux", architecture: "s390x" },
  });
  await store.images.load(
    stream(await tarOf(dockerArchive(image, ["a"]))),
    { progress: () => undefined },
    NO_SIGNAL,
  );
  expect(store.applied).toHaveLength(0);
  const loaded = store.images.resolve("a");
  const tops = await Promise.all([1, 2, 3].map(() => store.images.unpack(loaded, NO_SIGNAL)));
  expect(new Set(tops).size).toBe(1);
  expect(store.applied).toHaveLength(3);
  expect(store.snapshots.order.at(-1)).toBe(tops[0]);
});

test("importTar() makes one layer, kept as it came, and applies the changes", async () => {
  await using store = await openImages();
  const tar = await tarOf({ "etc/os-release": "ID=x" });
  const image = await store.images.importTar(
    stream(tar),
    {
      reference: undefined,
      changes: ["sh"],
      message: "Imported from -",
      platform: { os: "linux", architecture: "amd64" },
    },
    NO_SIGNAL,
  );
  expect(image.config.config.cmd).toEqual(["sh"]);
  expect(image.config.history).toEqual([{ created: "2023-11-14T22:13:20.000Z", comment: "Imported from -" }]);
  expect(image.manifest.layers.map(({ size }) => size)).toEqual([tar.byteLength]);
  expect(store.events.map(({ action, attributes }) => [action, attributes["name"]])).toEqual([
    ["import", image.id],
  ]);
});

test("importTar() of what is no tar says so and leaves nothing", async () => {
  await using store = await openImages();
  const options = { changes: [], message: "", platform: { os: "linux", architecture: "amd64" } };
  for (const bytes of [new Uint8Array(), Buffer.alloc(2048, "x")]) {
    await expect(store.images.importTar(stream(bytes), options, NO_SIGNAL)).rejects.toThrow(
      "Cannot import the file system: ",
    );
  }
  expect([await store.images.list(), store.collections(), store.snapshots.openDrafts]).toEqual([[], 2, 0]);
});
