import { expect, test } from "bun:test";
import { errorMessage } from "#base/errors.ts";
import { digestOf } from "#oci/digest.ts";
import { encodeDocument } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { FakeRegistry } from "../../test/fixtures/fake-registry.ts";
import { manifestOf, type SampleImage, sampleImage } from "./_fixtures/archives.ts";
import { openImages } from "./_fixtures/open-images.ts";
import { NO_SIGNAL } from "./_fixtures/streams.ts";
import type { ProgressLine } from "./image.ts";

function publish(registry: FakeRegistry, image: SampleImage, tag: string): void {
  for (const blob of [image.config, ...image.layers]) registry.blob(blob);
  registry.manifest("app", manifestOf(image).bytes, { mediaType: MEDIA_TYPE.ociManifest, tag });
}

test("pullAll() brings every tag, each with its own lines", async () => {
  await using registry = await FakeRegistry.start();
  await using store = await openImages();
  for (const tag of ["1", "2"]) publish(registry, await sampleImage([{ shared: "x" }, { own: tag }]), tag);
  const lines: ProgressLine[] = [];
  const name = `${registry.host}/app`;
  const images = await store.images.pullAll(name, {}, (line) => void lines.push(line), NO_SIGNAL);
  expect(images.map(({ references }) => references.join())).toEqual([`${name}:1`, `${name}:2`]);
  const told = lines.flatMap((line) => (line.kind === "status" ? [`${line.status} ${line.id ?? ""}`] : []));
  expect(told.filter((line) => line.startsWith("Pulling from"))).toEqual([
    "Pulling from app 1",
    "Pulling from app 2",
  ]);
  expect(told.filter((line) => line.startsWith("Already exists"))).toHaveLength(1);
});

test("pullAll() of a repository without tags says so", async () => {
  await using registry = await FakeRegistry.start();
  await using store = await openImages();
  const work = store.images.pullAll(`${registry.host}/nope`, {}, () => undefined, NO_SIGNAL);
  expect(await work.then(() => "", errorMessage)).toMatch(/^Cannot pull [^ ]*\/nope: it has no tags$/);
});

test("each layer is told of in Docker's words, in Docker's order", async () => {
  await using registry = await FakeRegistry.start();
  await using store = await openImages();
  const image = await sampleImage(["a", "b", "c", "d", "e"].map((name) => ({ [name]: name.repeat(9000) })));
  publish(registry, image, "1");
  const lines: ProgressLine[] = [];
  // no layer comes before those without a place of their own have been told of
  const waited = Promise.withResolvers<void>();
  const layers = new Set(image.layers.map((layer) => `/v2/app/blobs/${digestOf(layer)}`));
  registry.misbehave(async ({ path }) => {
    if (layers.has(path)) await waited.promise;
    return false;
  });
  const tell = (line: ProgressLine): void => {
    lines.push(line);
    const waiting = lines.filter((other) => other.kind === "status" && other.status === "Waiting");
    if (waiting.length === 2) waited.resolve();
  };
  await store.images.pull(`${registry.host}/app:1`, {}, tell, NO_SIGNAL);
  const all = image.layers.map((layer) => {
    const id = digestOf(layer).slice(7, 19);
    const own = lines.flatMap((line) => (line.kind === "status" && line.id === id ? [line.status] : []));
    return own.filter((status, index) => status !== own[index - 1]);
  });
  const rest = ["Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete"];
  const sorted = all.toSorted((one, other) => one.length - other.length);
  expect(sorted.slice(0, 3)).toEqual(Array(3).fill(["Pulling fs layer", ...rest]));
  expect(sorted.slice(3)).toEqual(Array(2).fill(["Pulling fs layer", "Waiting", ...rest]));
});

test("a foreign layer comes from the registry, and never from the address that the image names (case 30)", async () => {
  await using registry = await FakeRegistry.start();
  await using elsewhere = await FakeRegistry.start();
  await using store = await openImages();
  const image = await sampleImage([{ a: "1" }]);
  const [layer] = image.layers;
  if (!layer) throw new Error("no layer");
  elsewhere.blob(layer);
  registry.blob(image.config);
  const digest = digestOf(layer);
  const manifest = encodeDocument({
    mediaType: MEDIA_TYPE.ociManifest,
    config: {
      mediaType: MEDIA_TYPE.ociConfig,
      digest: digestOf(image.config),
      size: image.config.byteLength,
    },
    layers: [
      {
        mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar",
        digest,
        size: layer.byteLength,
        urls: [`http://${elsewhere.host}/v2/app/blobs/${digest}`],
      },
    ],
  });
  registry.manifest("app", manifest, { mediaType: MEDIA_TYPE.ociManifest, tag: "1" });
  const pull = async (): Promise<unknown> =>
    await store.images.pull(`${registry.host}/app:1`, {}, () => undefined, NO_SIGNAL);
  expect(await pull().then(() => "", errorMessage)).toMatch(/has not the foreign layer sha256:/);
  expect(elsewhere.seen).toEqual([]);
  registry.blob(layer);
  await pull();
  expect(store.images.resolve(`${registry.host}/app:1`).config.diffIds).toEqual([...image.diffIds]);
});
