import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "bun:test";
import { errorMessage } from "#base/errors.ts";
import { digestOf } from "#oci/digest.ts";
import {
  blobPath,
  type Contents,
  dockerArchive,
  manifestOf,
  ociLayout,
  type SampleImage,
  sampleImage,
  tarOf,
} from "../_fixtures/archives.ts";
import { type OpenImages, openImages } from "../_fixtures/open-images.ts";
import { gather, NO_SIGNAL, stream } from "../_fixtures/streams.ts";
import type { ProgressLine } from "../image.ts";

async function load(store: OpenImages, archive: Uint8Array): Promise<ProgressLine[]> {
  const lines: ProgressLine[] = [];
  await store.images.load(stream(archive), { progress: (line) => void lines.push(line) }, NO_SIGNAL);
  return lines;
}

const two = (): Promise<SampleImage> => sampleImage([{ "etc/a": "one" }, { "etc/b": "two" }]);

async function blobCount(store: OpenImages): Promise<number> {
  let count = 0;
  for await (const _blob of store.content.list()) count++;
  return count;
}

const forms: readonly (readonly [what: string, build: (image: SampleImage) => Promise<Uint8Array>])[] = [
  ["a docker archive", async (image) => await tarOf(dockerArchive(image, ["app:1"]))],
  ["one with gzip around it", async (image) => gzipSync(await tarOf(dockerArchive(image, ["app:1"])))],
  [
    "one with zstd around it",
    async (image) => zstdCompressSync(await tarOf(dockerArchive(image, ["app:1"]))),
  ],
  [
    "one whose manifest comes first",
    async (image) => {
      const { "manifest.json": first = "", ...rest } = dockerArchive(image, ["app:1"]);
      return await tarOf({ "manifest.json": first, ...rest });
    },
  ],
  [
    "one whose layer is a symlink, to a file that comes later",
    async (image) => {
      const { "layer0/layer.tar": layer = "", ...rest } = dockerArchive(image, ["app:1"]);
      return await tarOf({ "layer0/layer.tar": { link: "../shared/0.tar" }, ...rest, "shared/0.tar": layer });
    },
  ],
  [
    "one with the files of Docker before 1.10 beside",
    async (image) =>
      await tarOf({
        ...dockerArchive(image, ["app:1"]),
        "layer0/VERSION": "1.0",
        "layer0/json": "{}",
        repositories: "{}",
      }),
  ],
  [
    "an OCI layout",
    async (image) => await tarOf(ociLayout(image, { "io.containerd.image.name": "docker.io/library/app:1" })),
  ],
  [
    "an OCI layout whose name is a reference",
    async (image) => await tarOf(ociLayout(image, { "org.opencontainers.image.ref.name": "app:1" })),
  ],
];
for (const [what, build] of forms) {
  test(`load() takes ${what}`, async () => {
    await using store = await openImages();
    const image = await two();
    const lines = await load(store, await build(image));
    expect(lines.filter((line) => line.kind === "stream")).toEqual([
      { kind: "stream", text: "Loaded image: app:1\n" },
    ]);
    const loaded = store.images.resolve("app:1");
    expect(loaded.config.diffIds).toEqual([...image.diffIds]);
    expect(loaded.manifest.layers.map(({ digest }) => digest)).toEqual(image.layers.map(digestOf));
    expect(loaded.configDigest).toBe(digestOf(image.config));
    expect(store.snapshots.order).toHaveLength(2);
    expect(store.snapshots.openDrafts).toBe(0);
    expect(store.events.map(({ action, attributes }) => [action, attributes["name"]])).toEqual([
      ["load", "app:1"],
    ]);
  });
}

test("load() takes layers compressed inside a docker archive", async () => {
  await using store = await openImages();
  const image = await two();
  const contents = {
    ...dockerArchive(image, ["app:1"]),
    "layer1/layer.tar": gzipSync(image.layers[1] ?? ""),
  };
  await load(store, await tarOf(contents));
  const types = store.images
    .resolve("app:1")
    .manifest.layers.map(({ mediaType }) => mediaType.split(".").at(-1));
  expect(types).toEqual(["tar", "tar+gzip"]);
});

test("load() of an image without a name leaves it dangling and says its id", async () => {
  await using store = await openImages();
  const image = await two();
  const lines = await load(store, await tarOf(dockerArchive(image, null)));
  const { digest } = manifestOf(image);
  expect(lines).toEqual([{ kind: "stream", text: `Loaded image ID: ${digest}\n` }]);
  expect((await store.images.list()).map(({ id, references }) => [id, references])).toEqual([[digest, []]]);
});

test("load() takes several images and names", async () => {
  await using store = await openImages();
  const [one, other] = [await two(), await sampleImage([{ x: "y" }])];
  const contents = {
    ...dockerArchive(one, ["a:1", "b:2"]),
    "other.tar": other.layers[0] ?? "",
    "other.json": other.config,
    "manifest.json": JSON.stringify([
      { Config: "config.json", RepoTags: ["a:1", "b:2"], Layers: ["layer0/layer.tar", "layer1/layer.tar"] },
      { Config: "other.json", RepoTags: ["c"], Layers: ["other.tar"] },
    ]),
  };
  await load(store, await tarOf(contents));
  expect(store.images.resolve("a:1").id).toBe(store.images.resolve("b:2").id);
  expect(store.images.resolve("c").config.diffIds).toEqual([...other.diffIds]);
});

test("load() twice unpacks once, and shared layers are unpacked once", async () => {
  await using store = await openImages();
  const archive = await tarOf(dockerArchive(await two(), ["app"]));
  await load(store, archive);
  await load(store, archive);
  await load(store, await tarOf(dockerArchive(await sampleImage([{ "etc/a": "one" }, { z: "z" }]), ["z"])));
  expect(store.applied).toHaveLength(3);
});

test("save() gives what load() took, byte for byte each time", async () => {
  await using store = await openImages();
  await using other = await openImages();
  await load(store, await tarOf(dockerArchive(await two(), ["app:1", "app:2"])));
  const saved = await gather(store.images.save(["app"], [], NO_SIGNAL));
  expect(saved.equals(await gather(store.images.save(["app"], [], NO_SIGNAL)))).toBe(true);
  await load(other, saved);
  expect(other.images.resolve("app:2").id).toBe(store.images.resolve("app:1").id);
  expect(await gather(other.images.save(["app"], [], NO_SIGNAL))).toEqual(saved);
});

test("save() by tag has that name, by id none", async () => {
  await using store = await openImages();
  await load(store, await tarOf(dockerArchive(await two(), ["app:1", "app:2"])));
  const { id } = store.images.resolve("app:1");
  for (const [name, lines] of [
    ["app:2", ["Loaded image: app:2\n"]],
    [id, [`Loaded image ID: ${id}\n`]],
  ] as const) {
    await using other = await openImages();
    const loaded = await load(other, await gather(store.images.save([name], [], NO_SIGNAL)));
    expect(loaded.flatMap((line) => (line.kind === "stream" ? [line.text] : []))).toEqual([...lines]);
  }
});

test("save() of an image that is not here fails before the first byte", async () => {
  await using store = await openImages();
  expect(() => store.images.save(["nope"], [], NO_SIGNAL)).toThrow("No such image: nope:latest");
});

const wrongs: readonly (readonly [
  what: string,
  build: (image: SampleImage) => Promise<Uint8Array>,
  words: RegExp,
])[] = [
  ["is empty", async () => new Uint8Array(), /holds neither manifest.json nor an OCI layout|empty|archive/],
  ["is no tar", async () => Buffer.alloc(4096, "x"), /tar/],
  ["is xz", async () => Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2]), /xz data is broken/],
  [
    "holds no image",
    async () => await tarOf({ "etc/passwd": "root" }),
    /neither manifest.json nor an OCI layout/,
  ],
  ["is of the oldest form", async () => await tarOf({ repositories: "{}" }), /before Docker 1.10/],
  ["has an empty list", async () => await tarOf({ "manifest.json": "[]" }), /holds no images/],
  ["has a list that is no JSON", async () => await tarOf({ "manifest.json": "[" }), /not JSON/],
  ["has a list of another shape", async () => await tarOf({ "manifest.json": "{}" }), /must be an array/],
  [
    "lacks a layer",
    async (image) => await tarOf(without(image, "layer1/layer.tar")),
    /layer "layer1\/layer.tar", which is not in it/,
  ],
  [
    "lacks the config",
    async (image) => await tarOf(without(image, "config.json")),
    /config "config.json", which is not in it/,
  ],
  [
    "has a link round",
    async (image) =>
      await tarOf({ ...dockerArchive(image, null), "layer1/layer.tar": { link: "layer.tar" } }),
    /not in it/,
  ],
  ["has a bad name", async (image) => await tarOf(dockerArchive(image, ["UPPER:1"])), /must be lowercase/],
  [
    "names a layer outside",
    async (image) =>
      await tarOf({ ...dockerArchive(image, null), "layer1/layer.tar": { link: "../../../../etc/passwd" } }),
    /not in it/,
  ],
  ["climbs", async () => await tarOf({ "../evil": "x" }), /\.\./],
  [
    "has another layer than its config",
    async (image) =>
      await tarOf({ ...dockerArchive(image, null), "layer1/layer.tar": await tarOf({ evil: "x" }) }),
    /layer 2 has digest/,
  ],
  [
    "has one layer more than its config",
    async (image) =>
      await tarOf(withLayers(image, ["layer0/layer.tar", "layer1/layer.tar", "layer0/layer.tar"])),
    /names 2 layers, its manifest 3/,
  ],
  [
    "has a blob that is not what its name says",
    async (image) => await tarOf({ ...ociLayout(image), [blobPath(digestOf(image.config))]: "{}" }),
    /digest/,
  ],
  [
    "lacks a blob of its layout",
    async (image) => await tarOf(withoutBlob(image)),
    /no platform of it is complete/,
  ],
  ["is cut", async (image) => (await tarOf(dockerArchive(image, ["a"]))).subarray(0, 2000), /archive/],
  [
    "is cut inside gzip",
    async (image) => gzipSync(await tarOf(dockerArchive(image, ["a"]))).subarray(0, 300),
    /archive/,
  ],
];
for (const [what, build, words] of wrongs) {
  test(`load() of an archive that ${what} says so and changes nothing`, async () => {
    await using store = await openImages();
    const failure = await load(store, await build(await two())).then(() => undefined, errorMessage);
    expect(failure).toStartWith("Cannot load the archive: ");
    expect(failure).toMatch(words);
    expect(await store.images.list()).toEqual([]);
    expect(store.database.references.all()).toEqual([]);
    expect(store.database.leases.held()).toEqual({ digests: [], chainIds: [], since: undefined });
    expect(store.collections()).toBe(1);
    expect(store.snapshots.openDrafts).toBe(0);
    expect(store.events).toEqual([]);
  });
}

test("load() that is given up leaves no lease", async () => {
  await using store = await openImages();
  const stop = new AbortController();
  const archive = await tarOf(dockerArchive(await two(), ["a"]));
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    yield archive.subarray(0, 1024);
    stop.abort(new Error("gone"));
    yield archive.subarray(1024);
  };
  await expect(store.images.load(endless(), { progress: () => undefined }, stop.signal)).rejects.toThrow(
    "gone",
  );
  expect(store.database.leases.held().since).toBeUndefined();
  expect(await blobCount(store)).toBeLessThan(4);
});

function without(image: SampleImage, path: string): Contents {
  const { [path]: _gone, ...rest } = dockerArchive(image, ["a"]);
  return rest;
}

function withLayers(image: SampleImage, layers: readonly string[]): Contents {
  const list = [{ Config: "config.json", RepoTags: null, Layers: layers }];
  return { ...dockerArchive(image, null), "manifest.json": JSON.stringify(list) };
}

function withoutBlob(image: SampleImage): Contents {
  const { [blobPath(digestOf(image.layers[0] ?? ""))]: _gone, ...rest } = ociLayout(image);
  return rest;
}
