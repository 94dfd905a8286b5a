import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { FakeRegistry } from "../../test/fixtures/fake-registry.ts";
import { cutOnce, HOSTILITIES } from "../../test/fixtures/hostile-registry.ts";
import { manifestOf, type SampleImage, sampleImage } from "./_fixtures/archives.ts";
import { type OpenImages, openImages } from "./_fixtures/open-images.ts";
import { NO_SIGNAL } from "./_fixtures/streams.ts";
import type { Image } from "./image.ts";

const SECRET = "a-secret-password";
const CREDENTIALS = { kind: "password", username: "ann", password: SECRET } as const;

async function image(): Promise<SampleImage> {
  return await sampleImage([{ one: "1".repeat(50_000) }, { two: "2".repeat(70_000) }]);
}

function publish(registry: FakeRegistry, { config, layers, ...rest }: SampleImage): void {
  for (const blob of [config, ...layers]) registry.blob(blob);
  const { bytes } = manifestOf({ config, layers, ...rest });
  registry.manifest("library/app", bytes, { mediaType: MEDIA_TYPE.ociManifest, tag: "latest" });
}

function isImage(outcome: unknown): outcome is Image {
  return typeof outcome === "object" && outcome !== null && "id" in outcome;
}

/** Nothing has a name, nothing is under way, and every blob that is there is whole. */
async function expectNoImage({ images, content, database, snapshots, events }: OpenImages): Promise<void> {
  expect(await images.list()).toEqual([]);
  expect(database.references.all()).toEqual([]);
  expect(database.leases.held().since).toBeUndefined();
  expect(snapshots.openDrafts).toBe(0);
  expect(events).toEqual([]);
  for await (const { digest } of content.list()) {
    const found = createHash("sha256")
      .update(readFileSync(content.path(digest)))
      .digest("hex");
    expect(`sha256:${found}`).toBe(digest);
  }
}

for (const { name, misbehave } of HOSTILITIES) {
  test(`of a registry that ${name} no image is made, and the error is named (cases 28 to 30)`, async () => {
    await using registry = await FakeRegistry.start();
    await using store = await openImages({ retryDelayMs: 1 });
    publish(registry, await image());
    misbehave(registry);
    const reference = `${registry.host}/library/app`;
    // by tag, and by the digest of the true one
    const { digest } = manifestOf(await image());
    for (const wanted of [reference, `${reference}@${digest}`]) {
      const outcome = await store.images
        .pull(wanted, { credentials: CREDENTIALS }, () => undefined, NO_SIGNAL)
        .catch((reason: unknown) => reason);
      // who asks once, or by digest, may have got nothing but the truth
      if (isImage(outcome) && (wanted !== reference || name.startsWith("answers the second time"))) {
        expect(outcome.id).toBe(digest);
        return;
      }
      const error = outcome;
      expect(error).toBeInstanceOf(EngineError);
      expect(String(error)).not.toContain(SECRET);
      await expectNoImage(store);
    }
  });
}

test("an image that came from a hostile registry in parts is whole after the next pull from a good one", async () => {
  await using registry = await FakeRegistry.start();
  await using store = await openImages({ retryDelayMs: 1 });
  const whole = await image();
  publish(registry, whole);
  for (const { misbehave, about } of HOSTILITIES) {
    if (about !== "blob") continue;
    await using shadow = await FakeRegistry.start();
    publish(shadow, whole);
    misbehave(shadow);
    const pull = store.images.pull(`${shadow.host}/library/app`, {}, () => undefined, NO_SIGNAL);
    await expect(pull).rejects.toThrow(EngineError);
  }
  const pulled = await store.images.pull(`${registry.host}/library/app`, {}, () => undefined, NO_SIGNAL);
  expect(pulled.id).toBe(manifestOf(whole).digest);
});

test("a connection that is cut at any point of a layer costs nothing but the rest of it", async () => {
  const whole = await image();
  const [layer = Buffer.alloc(0)] = whole.layers;
  for (const bytes of [0, 1, 511, 512, 4096, layer.byteLength >> 1, layer.byteLength - 1]) {
    await using registry = await FakeRegistry.start();
    await using store = await openImages({ retryDelayMs: 1 });
    publish(registry, whole);
    cutOnce(registry, { path: `/v2/library/app/blobs/${digestOf(layer)}`, bytes });
    const pulled = await store.images.pull(`${registry.host}/library/app`, {}, () => undefined, NO_SIGNAL);
    expect(pulled.id).toBe(manifestOf(whole).digest);
  }
});

test("a connection that is cut at any point of a manifest or config makes no half image", async () => {
  const whole = await image();
  const { bytes: manifest } = manifestOf(whole);
  const documents = [
    { path: "/v2/library/app/manifests/latest", length: manifest.byteLength },
    { path: `/v2/library/app/blobs/${digestOf(whole.config)}`, length: whole.config.byteLength },
  ];
  for (const { path, length } of documents) {
    for (const bytes of [0, 1, length >> 1, length - 1]) {
      await using registry = await FakeRegistry.start();
      await using store = await openImages({ retryDelayMs: 1 });
      publish(registry, whole);
      cutOnce(registry, { path, bytes });
      const pull = (): Promise<unknown> =>
        store.images.pull(`${registry.host}/library/app`, {}, () => undefined, NO_SIGNAL);
      const outcome: unknown = await pull().catch((reason: unknown) => reason);
      if (outcome instanceof Error) {
        expect(EngineError.is(outcome, "unavailable")).toBe(true);
        await expectNoImage(store);
        await pull();
      }
      expect(await store.images.list()).toHaveLength(1);
    }
  }
});
