import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type Digest, digestOf } from "#oci/digest.ts";
import { encodeDocument } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { hostPlatform, type Platform } from "#oci/platform.ts";
import { RegistryClient } from "#registry/registry-client.ts";
import {
  answering,
  cutting,
  FakeRegistry,
  type FakeRegistryOptions,
} from "../../test/fixtures/fake-registry.ts";
import { manifestOf, type SampleImage, sampleImage } from "./_fixtures/archives.ts";
import { type OpenImages, openImages } from "./_fixtures/open-images.ts";
import { NO_SIGNAL } from "./_fixtures/streams.ts";
import { Downloader } from "./download.ts";
import type { Image, ProgressLine } from "./image.ts";
import type { PullOptions } from "./pull.ts";

interface Scene extends AsyncDisposable {
  readonly registry: FakeRegistry;
  readonly store: OpenImages;
  readonly image: SampleImage;
  readonly name: string;
  readonly lines: ProgressLine[];
  pull(options?: PullOptions, signal?: AbortSignal): Promise<Image>;
}

const BIG = "0123456789".repeat(20_000);

async function scene(options: FakeRegistryOptions = {}): Promise<Scene> {
  const registry = await FakeRegistry.start(options);
  const store = await openImages({ retryDelayMs: 1 });
  const image = await sampleImage([
    { "a/one": BIG },
    { "a/two": `${BIG}2` },
    { "a/three": `${BIG}3` },
    { four: BIG },
  ]);
  const lines: ProgressLine[] = [];
  publish(registry, image);
  const name = `${registry.host}/library/app:latest`;
  return {
    registry,
    store,
    image,
    name,
    lines,
    pull: (given = {}, signal = NO_SIGNAL) =>
      store.images.pull(name, given, (line) => void lines.push(line), signal),
    [Symbol.asyncDispose]: async () => {
      await registry[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

function publish(registry: FakeRegistry, image: SampleImage, tag = "latest"): Digest {
  for (const blob of [image.config, ...image.layers]) registry.blob(blob);
  return registry.manifest("library/app", manifestOf(image).bytes, {
    mediaType: MEDIA_TYPE.ociManifest,
    tag,
  });
}

async function failure(work: Promise<unknown>): Promise<EngineError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
  throw new Error("expected a failure");
}

async function expectNothing({ store }: Scene): Promise<void> {
  expect(await store.images.list()).toEqual([]);
  expect(store.database.references.all()).toEqual([]);
  expect(store.database.leases.held().since).toBeUndefined();
  expect(store.snapshots.openDrafts).toBe(0);
  expect(store.events).toEqual([]);
}

test("pull() stores, unpacks and names an image, in Docker's words", async () => {
  await using at = await scene();
  const image = await at.pull();
  const { digest } = manifestOf(at.image);
  expect(image.id).toBe(digest);
  expect(at.store.images.resolve(at.name).id).toBe(digest);
  expect(at.store.snapshots.order).toHaveLength(4);
  const statuses = at.lines.flatMap((line) => (line.kind === "status" ? [line.status] : []));
  expect(at.lines[0]).toEqual({ kind: "status", status: "Pulling from library/app", id: "latest" });
  expect(statuses.filter((status) => status === "Pulling fs layer")).toHaveLength(4);
  expect(statuses.filter((status) => status === "Download complete")).toHaveLength(4);
  expect(statuses.filter((status) => status === "Pull complete")).toHaveLength(4);
  expect(statuses.slice(-2)).toEqual([`Digest: ${digest}`, `Status: Downloaded newer image for ${at.name}`]);
  expect(at.store.events.map(({ action, id, attributes }) => [action, id, attributes["name"]])).toEqual([
    ["pull", at.name, at.name.replace(/:latest$/, "")],
  ]);
});

test("pull() again fetches no blob and says that the image is up to date", async () => {
  await using at = await scene();
  await at.pull();
  const before = at.registry.seen.filter(({ path }) => path.includes("/blobs/")).length;
  await at.pull();
  expect(at.registry.seen.filter(({ path }) => path.includes("/blobs/"))).toHaveLength(before);
  expect(at.lines.at(-1)).toEqual({ kind: "status", status: `Status: Image is up to date for ${at.name}` });
});

test("the same pull asked for twice at once runs once, and both hear of it", async () => {
  await using at = await scene();
  const other: ProgressLine[] = [];
  const both = await Promise.all([
    at.pull(),
    at.store.images.pull(at.name, {}, (line) => void other.push(line), NO_SIGNAL),
  ]);
  expect(both[0].id).toBe(both[1].id);
  expect(at.registry.seen.filter(({ path }) => path.includes("/blobs/"))).toHaveLength(5);
  expect(at.store.events).toHaveLength(1);
  expect(other.at(-1)).toEqual(at.lines.at(-1) as ProgressLine);
});

test("two names of one image, pulled at once, fetch and unpack each layer once", async () => {
  await using at = await scene();
  publish(at.registry, at.image, "other");
  const second = at.name.replace(":latest", ":other");
  await Promise.all([at.pull(), at.store.images.pull(second, {}, () => undefined, NO_SIGNAL)]);
  expect(at.registry.seen.filter(({ path }) => path.includes("/blobs/"))).toHaveLength(5);
  expect(at.store.applied).toHaveLength(4);
  expect(at.store.images.resolve(second).references).toHaveLength(2);
});

test("a pull by digest has that name, and no tag", async () => {
  await using at = await scene();
  const { digest } = manifestOf(at.image);
  const name = at.name.replace(":latest", `@${digest}`);
  const image = await at.store.images.pull(name, {}, () => undefined, NO_SIGNAL);
  expect(image.references.map(String)).toEqual([name]);
  expect(at.store.images.resolve(name).id).toBe(digest);
});

test("a tag that moved leaves the old image dangling", async () => {
  await using at = await scene();
  const old = await at.pull();
  publish(at.registry, await sampleImage([{ new: "x" }]));
  await at.pull();
  const names = new Map((await at.store.images.list()).map(({ id, references }) => [id, references.length]));
  expect([names.size, names.get(old.id)]).toEqual([2, 0]);
});

test("of an index the image for the platform is fetched, and the others can follow", async () => {
  await using at = await scene();
  const arm = await sampleImage([{ arm: "yes" }], { platform: { os: "linux", architecture: "arm64" } });
  const wanted = hostPlatform();
  const entry = (image: SampleImage, platform: Platform): Descriptor => {
    const { bytes } = manifestOf(image);
    const digest = publish(at.registry, image, "parts");
    return { mediaType: MEDIA_TYPE.ociManifest, digest, size: bytes.byteLength, platform };
  };
  const index = Buffer.from(
    encodeDocument({
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: [
        entry(arm, { os: "linux", architecture: wanted.architecture === "arm64" ? "amd64" : "arm64" }),
        entry(at.image, wanted),
      ],
    }),
  );
  at.registry.manifest("library/app", index, { mediaType: MEDIA_TYPE.ociIndex, tag: "latest" });
  const image = await at.pull();
  expect(image.id).toBe(digestOf(index));
  expect(image.manifestDigest).toBe(manifestOf(at.image).digest);
  expect(image.variants.map(({ kind }) => kind)).toEqual(["absent", "present"]);
  expect(() => at.store.images.resolve(at.name, { os: "linux", architecture: "s390x" })).toThrow(
    "was found but does not provide the specified platform (linux/s390x)",
  );
  const missing = await failure(at.pull({ platform: { os: "linux", architecture: "s390x" } }));
  expect([missing.kind, missing.message]).toEqual([
    "not-found",
    `Cannot pull ${at.name}: no matching manifest for linux/s390x in the manifest list entries`,
  ]);
});

test("a blob that is cut off goes on where it stopped", async () => {
  await using at = await scene();
  const [layer = Buffer.of()] = at.image.layers;
  at.registry.misbehave(cutting(layer, { bytes: 70_000, times: 2 }));
  await at.pull();
  const ranges = at.registry.seen
    .filter(({ path }) => path.endsWith(digestOf(layer)))
    .map(({ range }) => range);
  expect(ranges).toHaveLength(3);
  expect(ranges[0]).toBeUndefined();
  expect(ranges.slice(1).every((range) => /^bytes=[1-9]/.test(range ?? ""))).toBe(true);
});

test("a blob that is always cut off ends the pull, and the next one goes on from there", async () => {
  await using at = await scene();
  const [layer = Buffer.of()] = at.image.layers;
  at.registry.misbehave(cutting(layer, { bytes: 10_000, times: 5 }));
  const error = await failure(at.pull());
  expect(error.kind).toBe("unavailable");
  expect(error.message).toStartWith(
    `Cannot pull ${at.name}: the connection failed to registry ${at.registry.host}`,
  );
  await expectNothing(at);
  await at.pull();
  expect(at.registry.seen.findLast(({ path }) => path.endsWith(digestOf(layer)))?.range).toMatch(
    /^bytes=[1-9]/,
  );
});

const wrongBlobs: readonly (readonly [what: string, wrong: (layer: Buffer) => Buffer])[] = [
  ["of the right length but other bytes", (layer) => Buffer.alloc(layer.byteLength, 1)],
  ["too long", (layer) => Buffer.concat([layer, layer])],
];
for (const [what, wrong] of wrongBlobs) {
  test(`a layer ${what} is corrupt and nothing is kept of it (case 28)`, async () => {
    await using at = await scene();
    const layer = at.image.layers[1] ?? Buffer.of();
    at.registry.misbehave(answering(`/blobs/${digestOf(layer)}`, wrong(layer)));
    const error = await failure(at.pull());
    expect(error.kind).toBe("corrupt");
    expect(await at.store.content.find(digestOf(layer))).toBeUndefined();
    await expectNothing(at);
  });
}

test("a layer whose content is not what the config says is corrupt (case 28)", async () => {
  await using at = await scene();
  const other = await sampleImage([{ other: "content" }]);
  const forged = {
    ...at.image,
    layers: other.layers,
    config: (await sampleImage([{ real: "content" }])).config,
  };
  publish(at.registry, forged);
  const error = await failure(at.pull());
  expect(error.message).toContain("the image config says");
  await expectNothing(at);
});

const documents: readonly (readonly [what: string, document: unknown])[] = [
  ["manifest and index at once (case 29)", { schemaVersion: 2, config: {}, layers: [], manifests: [] }],
  ["neither manifest nor index", { schemaVersion: 2 }],
  ["no JSON", "<html>"],
  ["a manifest with hostile keys only", { __proto__: { config: {} }, constructor: {} }],
  ["an index of another media type inside", { mediaType: MEDIA_TYPE.ociIndex, manifests: [] }],
  [
    "a manifest whose config has a bad digest",
    { config: { mediaType: "x", digest: "sha256:../../etc", size: 1 }, layers: [] },
  ],
  [
    "a manifest with a negative size",
    { config: { mediaType: "x", digest: digestOf(""), size: -1 }, layers: [] },
  ],
];
for (const [what, document] of documents) {
  test(`${what} is refused`, async () => {
    await using at = await scene();
    const text = typeof document === "string" ? document : JSON.stringify(document);
    const headers = { "Content-Type": MEDIA_TYPE.ociManifest };
    at.registry.misbehave(answering("/manifests/", text, { headers }));
    expect((await failure(at.pull())).kind).toBe("invalid");
    await expectNothing(at);
  });
}

test("urls of a layer are never followed (case 30)", async () => {
  await using at = await scene();
  await using elsewhere = await FakeRegistry.start();
  const [layer = Buffer.of()] = at.image.layers;
  const manifest = JSON.parse(manifestOf(at.image).bytes.toString());
  manifest.layers[0].urls = [`http://${elsewhere.host}/foreign`];
  at.registry.manifest("library/app", Buffer.from(JSON.stringify(manifest)), {
    mediaType: MEDIA_TYPE.ociManifest,
    tag: "latest",
  });
  at.registry.misbehave(answering(`/blobs/${digestOf(layer)}`, "", { status: 404 }));
  await failure(at.pull());
  expect(elsewhere.seen).toEqual([]);
});

test("a missing tag is Docker's manifest unknown", async () => {
  await using at = await scene();
  const name = at.name.replace(":latest", ":nope");
  const error = await failure(at.store.images.pull(name, {}, () => undefined, NO_SIGNAL));
  expect([error.kind, error.message]).toEqual([
    "not-found",
    `manifest for ${name} not found: manifest unknown: manifest unknown`,
  ]);
});

test("a private repository is Docker's pull access denied; with the password it is not", async () => {
  await using at = await scene({ user: { name: "ann", password: "secret" } });
  const error = await failure(at.pull());
  const repository = at.name.replace(/:latest$/, "");
  expect([error.kind, error.message]).toEqual([
    "not-found",
    `pull access denied for ${repository}, repository does not exist or may require 'docker login'`,
  ]);
  await at.pull({ credentials: { kind: "password", username: "ann", password: "secret" } });
});

test("where no registry answers the error says so, and what to do", async () => {
  await using store = await openImages({
    openRegistry: () => new RegistryClient({ domain: "127.0.0.1:1" }),
  });
  const error = await failure(store.images.pull("debian", {}, () => undefined, NO_SIGNAL));
  expect([error.kind, error.message]).toEqual([
    "unavailable",
    "Cannot pull debian:latest: no answer from registry docker.io (127.0.0.1:1: connection refused)",
  ]);
  expect(error.hint).toContain("darse load");
});

test("scratch cannot be pulled", async () => {
  await using store = await openImages();
  const error = await failure(store.images.pull("scratch", {}, () => undefined, NO_SIGNAL));
  expect([error.kind, error.message]).toEqual(["forbidden", "'scratch' is a reserved name"]);
});

test("cancelling stops a pull and leaves nothing half made", async () => {
  await using at = await scene();
  const stop = new AbortController();
  at.registry.misbehave(({ path }, response) => {
    if (!path.endsWith(digestOf(at.image.layers[2] ?? ""))) return false;
    response.writeHead(200);
    response.write("x", () => stop.abort(new Error("client went away")));
    return true;
  });
  await expect(at.pull({}, stop.signal)).rejects.toThrow("client went away");
  await expectNothing(at);
});

test("of two who wait for a pull one may leave", async () => {
  await using at = await scene();
  const stop = new AbortController();
  const staying = at.pull();
  const leaving = at.pull({}, stop.signal);
  stop.abort(new Error("client went away"));
  await expect(leaving).rejects.toThrow("client went away");
  expect((await staying).id).toBe(manifestOf(at.image).digest);
});

test("a part that an earlier registry got wrong is begun anew", async () => {
  await using at = await scene();
  const [layer = Buffer.of()] = at.image.layers;
  const expected = { digest: digestOf(layer), size: layer.byteLength };
  {
    await using part = await at.store.content.resume(expected);
    await part.append(Buffer.alloc(1000, 1));
  }
  using lease = at.store.database.leases.open();
  const source = {
    name: { domain: at.registry.host, path: "library/app" },
    registry: new RegistryClient({ domain: at.registry.host }),
    lease,
    signal: NO_SIGNAL,
  };
  await new Downloader(at.store.content, 1).fetch(source, { mediaType: MEDIA_TYPE.ociLayer, ...expected });
  expect(await at.store.content.find(expected.digest)).toEqual({ size: expected.size });
});
