import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { digestOf } from "#oci/digest.ts";
import { decodeManifestDocument, encodeDocument, type Manifest } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { hostPlatform } from "#oci/platform.ts";
import { FakeRegistry, type FakeRegistryOptions } from "../../test/fixtures/fake-registry.ts";
import { lacksBlobs } from "../../test/fixtures/hostile-registry.ts";
import { type Contents, dockerArchive, manifestOf, sampleImage, tarOf } from "./_fixtures/archives.ts";
import { type OpenImages, openImages } from "./_fixtures/open-images.ts";
import { NO_SIGNAL } from "./_fixtures/streams.ts";
import type { ProgressLine } from "./image.ts";
import type { PushOptions } from "./push.ts";

interface Scene extends AsyncDisposable {
  readonly registry: FakeRegistry;
  readonly store: OpenImages;
  readonly lines: ProgressLine[];
  /** Loads an image of two layers under names in the registry. */
  load(...names: string[]): Promise<void>;
  push(name: string, options?: PushOptions): Promise<void>;
  statuses(): string[];
}

const FILES: readonly Contents[] = [{ one: "1".repeat(300_000) }, { two: "2".repeat(200_000) }];

async function scene(options: FakeRegistryOptions = {}): Promise<Scene> {
  const registry = await FakeRegistry.start(options);
  const store = await openImages({ retryDelayMs: 1 });
  const lines: ProgressLine[] = [];
  return {
    registry,
    store,
    lines,
    async load(...names) {
      const tags = names.map((name) => `${registry.host}/${name}`);
      const archive = await tarOf(dockerArchive(await sampleImage(FILES), tags));
      await store.images.load(one(archive), { progress: () => undefined }, NO_SIGNAL);
    },
    push: (name, given = {}) =>
      store.images.push(`${registry.host}/${name}`, given, (line) => void lines.push(line), NO_SIGNAL),
    statuses: () => lines.flatMap((line) => (line.kind === "status" ? [line.status] : [])),
    [Symbol.asyncDispose]: async () => {
      await registry[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function failure(work: Promise<unknown>): Promise<EngineError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error;
  throw new Error(`expected a failure, got ${String(error)}`);
}

function pushedManifest({ registry }: Scene, repository: string, reference: string): Manifest {
  const found = registry.findManifest(repository, reference);
  if (!found) throw new Error(`${repository}:${reference} was not pushed`);
  const document = decodeManifestDocument(found.bytes, found.mediaType);
  if (document.kind === "index") throw new Error("it is an index");
  return document.manifest;
}

test("push() sends layers that are stored plain as gzip, and a manifest that says so", async () => {
  await using at = await scene();
  await at.load("app:1");
  await at.push("app:1");
  const { layers } = pushedManifest(at, "app", "1");
  const plain = (await sampleImage(FILES)).layers;
  expect(layers.map(({ mediaType }) => mediaType)).toEqual([
    MEDIA_TYPE.ociLayerGzip,
    MEDIA_TYPE.ociLayerGzip,
  ]);
  for (const [index, { digest, size }] of layers.entries()) {
    const blob = at.registry.findBlob(digest);
    expect(blob?.byteLength).toBe(size);
    expect(plain[index]?.equals(gunzipSync(blob ?? Buffer.alloc(0)))).toBe(true);
  }
});

test("push() tells what it does in Docker's words", async () => {
  await using at = await scene();
  await at.load("app:1");
  await at.push("app:1");
  const pushed = at.registry.findManifest("app", "1")?.bytes ?? Buffer.alloc(0);
  const digest = digestOf(pushed);
  const size = pushed.byteLength;
  expect(at.lines[0]).toEqual({
    kind: "status",
    status: `The push refers to repository [${at.registry.host}/app]`,
  });
  const count = (status: string): number => at.statuses().filter((line) => line === status).length;
  expect([count("Preparing"), count("Pushed")]).toEqual([2, 2]);
  expect(count("Pushing")).toBeGreaterThanOrEqual(2);
  expect(at.lines.slice(-2)).toEqual([
    { kind: "status", status: `1: digest: ${digest} size: ${size}` },
    { kind: "aux", value: { Tag: "1", Digest: digest, Size: size } },
  ]);
  expect(at.store.events.at(-1)).toMatchObject({ action: "push", id: `${at.registry.host}/app:1` });
});

test("a second push sends nothing, and gives the same digest without compressing again", async () => {
  await using at = await scene();
  await at.load("app:1");
  await at.push("app:1");
  const first = at.lines.at(-2);
  at.lines.length = 0;
  const before = at.registry.seen.length;
  await at.push("app:1");
  expect(at.lines.at(-2)).toEqual(first);
  expect(at.statuses().filter((line) => line === "Layer already exists")).toHaveLength(2);
  expect(at.registry.seen.slice(before).filter(({ path }) => path.includes("/uploads/"))).toEqual([]);
});

test("what a registry has in one repository is mounted into another", async () => {
  await using at = await scene();
  await at.load("app:1", "team/copy:2");
  await at.push("app:1");
  at.registry.uploads.mountable.add("app");
  at.registry.misbehave(lacksBlobs("team/copy"));
  await at.push("team/copy:2");
  expect(at.statuses().filter((line) => line === "Mounted from app")).toHaveLength(2);
  const sent = at.registry.seen.filter(
    ({ method, path }) => method === "PUT" && path.includes("team/copy/blobs"),
  );
  expect(sent).toEqual([]);
});

test("the digest an image was pushed under is one of its names, and goes with its last tag", async () => {
  await using at = await scene();
  await at.load("app:1");
  await at.push("app:1");
  const digest = digestOf(at.registry.findManifest("app", "1")?.bytes ?? "");
  const name = `${at.registry.host}/app`;
  const image = at.store.images.resolve(`${name}@${digest}`);
  expect(image.id).toBe(at.store.images.resolve(`${name}:1`).id);
  const removed = await at.store.images.remove(`${name}:1`, { force: false, users: [] });
  expect(removed.map((item) => item.kind)).toEqual(["untagged", "untagged", "deleted"]);
});

test("an image whose tag has moved on is dangling, whatever digest it was pushed under", async () => {
  await using at = await scene();
  await at.load("app:1");
  await at.push("app:1");
  const old = at.store.images.resolve(`${at.registry.host}/app:1`);
  const next = await tarOf(dockerArchive(await sampleImage([{ new: "x" }]), [`${at.registry.host}/app:1`]));
  await at.store.images.load(one(next), { progress: () => undefined }, NO_SIGNAL);
  const { removed } = await at.store.images.prune({ danglingOnly: true }, () => []);
  expect(removed.at(-1)).toEqual({ kind: "deleted", id: old.id });
  expect(await at.store.images.list()).toHaveLength(1);
});

for (const [what, compressed] of [
  ["gzip", true],
  ["plain", false],
] as const) {
  test(`an image that was pulled with ${what} layers goes back byte for byte`, async () => {
    await using at = await scene();
    const image = await sampleImage(FILES);
    const layers = image.layers.map((layer) => (compressed ? gzipSync(layer) : layer));
    const { bytes } = manifestOf({ ...image, layers });
    const document = decodeManifestDocument(bytes);
    if (document.kind === "index") throw new Error("it is an index");
    const mediaType = compressed ? MEDIA_TYPE.ociLayerGzip : MEDIA_TYPE.ociLayer;
    const manifest = encodeDocument({
      ...document.manifest,
      layers: document.manifest.layers.map((layer) => ({ ...layer, mediaType })),
    });
    for (const blob of [image.config, ...layers]) at.registry.blob(blob);
    const options = { mediaType: MEDIA_TYPE.ociManifest, tag: "latest" };
    const digest = at.registry.manifest("library/app", manifest, options);
    const { host } = at.registry;
    const pulled = await at.store.images.pull(`${host}/library/app`, {}, () => undefined, NO_SIGNAL);
    await at.store.images.tag(pulled, `${host}/other/app:1`);
    at.registry.uploads.mountable.add("library/app");
    at.registry.misbehave(lacksBlobs("other/app"));
    await at.push("other/app:1");
    expect(digestOf(at.registry.findManifest("other/app", "1")?.bytes ?? "")).toBe(digest);
    expect(at.statuses().filter((line) => line === "Mounted from library/app")).toHaveLength(2);
  });
}

test("push() of a name without tag sends every tag of the repository", async () => {
  await using at = await scene();
  await at.load("app:1", "app:2", "other:3");
  await at.push("app");
  const tagged = at.lines.flatMap((line) => (line.kind === "aux" ? [line.value] : []));
  expect(tagged).toMatchObject([{ Tag: "1" }, { Tag: "2" }]);
  expect(at.registry.findManifest("other", "3")).toBeUndefined();
});

const absent: readonly (readonly [name: string, words: string])[] = [
  ["app:2", "tag does not exist: HOST/app:2"],
  ["none", "An image does not exist locally with the tag: HOST/none"],
];
for (const [name, words] of absent) {
  test(`push() of ${name}, which is not here, is not-found in Docker's words`, async () => {
    await using at = await scene();
    await at.load("app:1");
    const error = await failure(at.push(name));
    expect([error.kind, error.message]).toEqual(["not-found", words.replace("HOST", at.registry.host)]);
    expect(at.registry.seen).toEqual([]);
  });
}

/** An index of two platforms of the registry's, the second of them not fetched unless asked for. */
async function pullIndex(at: Scene, { isWhole }: { readonly isWhole: boolean }): Promise<Descriptor> {
  const own = await sampleImage(FILES);
  const foreign = await sampleImage([{ other: "x" }], { platform: { os: "linux", architecture: "s390x" } });
  const manifests = [own, foreign].map((image) => {
    for (const blob of [image.config, ...image.layers]) at.registry.blob(blob);
    const { bytes, digest } = manifestOf(image);
    at.registry.manifest("library/app", bytes, { mediaType: MEDIA_TYPE.ociManifest });
    const platform = image === own ? hostPlatform() : { os: "linux", architecture: "s390x" };
    return { mediaType: MEDIA_TYPE.ociManifest, digest, size: bytes.byteLength, platform };
  });
  const bytes = encodeDocument({ mediaType: MEDIA_TYPE.ociIndex, manifests });
  const digest = at.registry.manifest("library/app", bytes, {
    mediaType: MEDIA_TYPE.ociIndex,
    tag: "latest",
  });
  const name = `${at.registry.host}/library/app`;
  if (isWhole) {
    const platform = { os: "linux", architecture: "s390x" };
    await at.store.images.pull(name, { platform }, () => undefined, NO_SIGNAL);
  }
  const image = await at.store.images.pull(name, {}, () => undefined, NO_SIGNAL);
  await at.store.images.tag(image, `${at.registry.host}/other:1`);
  return { mediaType: MEDIA_TYPE.ociIndex, digest, size: bytes.byteLength };
}

test("push() sends an index with all of its platforms when they are here", async () => {
  await using at = await scene();
  const { digest } = await pullIndex(at, { isWhole: true });
  await at.push("other:1");
  const { manifests } = JSON.parse(
    Buffer.from(at.registry.findManifest("other", "1")?.bytes ?? "").toString(),
  );
  expect(digestOf(at.registry.findManifest("other", "1")?.bytes ?? "")).toBe(digest);
  for (const entry of manifests) expect(at.registry.findManifest("other", entry.digest)).toBeDefined();
});

test("push() of an index of which one platform is here sends that one, and says so", async () => {
  await using at = await scene();
  const index = await pullIndex(at, { isWhole: false });
  await at.push("other:1");
  const { digest } = manifestOf(await sampleImage(FILES));
  expect(digestOf(at.registry.findManifest("other", "1")?.bytes ?? "")).toBe(digest);
  expect(at.lines.at(-1)).toMatchObject({
    kind: "aux",
    value: { manifestPushedInsteadOfIndex: true, originalIndex: index, selectedManifest: { digest } },
  });
});

test("push() for a platform sends its manifest alone, and refuses one that is not here", async () => {
  await using at = await scene();
  await pullIndex(at, { isWhole: true });
  const platform = { os: "linux", architecture: "s390x" };
  await at.push("other:1", { platform });
  expect(pushedManifest(at, "other", "1").layers).toHaveLength(1);
  const error = await failure(at.push("other:1", { platform: { os: "linux", architecture: "riscv64" } }));
  expect(error.message).toContain("does not provide the specified platform (linux/riscv64)");
});

test("a cut upload goes on, and the push ends well", async () => {
  await using at = await scene();
  await at.load("app:1");
  at.registry.uploads.cuts.push(100, 100, 100);
  await at.push("app:1");
  expect(pushedManifest(at, "app", "1").layers).toHaveLength(2);
});

test("a push that is refused names the repository and what to do (case 30)", async () => {
  await using at = await scene({ user: { name: "ann", password: "secret" } });
  await at.load("app:1");
  const error = await failure(
    at.push("app:1", { credentials: { kind: "password", username: "ann", password: "wrong-one" } }),
  );
  expect(error.kind).toBe("unauthorized");
  expect(error.message).toContain(
    `push access denied for ${at.registry.host}/app, repository does not exist`,
  );
  expect(`${error.message}${error.hint}`).not.toContain("wrong-one");
  expect(at.store.events.filter(({ action }) => action === "push")).toEqual([]);
});
