import { expect, test } from "bun:test";
import { errorMessage } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { digestOf } from "#oci/digest.ts";
import { encodeDocument } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { hostPlatform, type Platform } from "#oci/platform.ts";
import { blobPath, type Contents, manifestOf, sampleImage, tarOf } from "./_fixtures/archives.ts";
import { type OpenImages, openImages } from "./_fixtures/open-images.ts";
import { gather, NO_SIGNAL, stream } from "./_fixtures/streams.ts";
import type { ImageUser } from "./image.ts";

const OURS = hostPlatform();
const OTHER: Platform = { os: "linux", architecture: OURS.architecture === "s390x" ? "amd64" : "s390x" };
const THIRD: Platform = { os: "linux", architecture: "mips64le" };
const STATEMENT = Buffer.from(JSON.stringify({ _type: "https://in-toto.io/Statement/v0.1", subject: [] }));
const NOBODY: readonly ImageUser[] = [];

/** An OCI layout of `app:1`, for our platform and another, with a statement about ours. */
async function layout(): Promise<Buffer> {
  const blobs: Contents[] = [];
  const add = (bytes: Uint8Array, mediaType: string): Descriptor => {
    const digest = digestOf(bytes);
    blobs.push({ [blobPath(digest)]: bytes });
    return { mediaType, digest, size: bytes.byteLength };
  };
  const entries: Descriptor[] = [];
  for (const platform of [OURS, OTHER]) {
    const image = await sampleImage([{ shared: "same" }, { only: platform.architecture }], { platform });
    for (const blob of [image.config, ...image.layers]) add(blob, "");
    entries.push({ ...add(manifestOf(image).bytes, MEDIA_TYPE.ociManifest), platform });
  }
  const statement = {
    ...add(STATEMENT, "application/vnd.in-toto+json"),
    annotations: { "in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2" },
  };
  const config = add(Buffer.from("{}"), MEDIA_TYPE.ociConfig);
  const attestation = encodeDocument({ mediaType: MEDIA_TYPE.ociManifest, config, layers: [statement] });
  const index = encodeDocument({
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: [
      ...entries,
      {
        ...add(attestation, MEDIA_TYPE.ociManifest),
        platform: { os: "unknown", architecture: "unknown" },
        annotations: {
          "vnd.docker.reference.type": "attestation-manifest",
          "vnd.docker.reference.digest": entries[0]?.digest ?? "",
        },
      },
    ],
  });
  const target = add(index, MEDIA_TYPE.ociIndex);
  const annotations = { "io.containerd.image.name": "docker.io/library/app:1" };
  return await tarOf({
    ...Object.assign({}, ...blobs),
    "oci-layout": JSON.stringify({ imageLayoutVersion: "1.0.0" }),
    "index.json": JSON.stringify({ schemaVersion: 2, manifests: [{ ...target, annotations }] }),
  });
}

async function loaded(platforms: readonly Platform[] = []): Promise<OpenImages> {
  const store = await openImages();
  await store.images.load(stream(await layout()), { progress: () => undefined, platforms }, NO_SIGNAL);
  return store;
}

function present(store: OpenImages): string[] {
  return store.images
    .resolve("app:1")
    .variants.flatMap((variant) => (variant.kind === "present" ? [variant.platform.architecture] : []));
}

test("save() of one platform has its blobs and no others, and loads as that image", async () => {
  await using store = await loaded();
  const saved = await gather(store.images.save(["app:1"], [OTHER], NO_SIGNAL));
  await using other = await openImages();
  await other.images.load(stream(saved), { progress: () => undefined, platforms: [OTHER] }, NO_SIGNAL);
  expect(present(other)).toEqual([OTHER.architecture]);
  expect(other.images.resolve("app:1").id).toBe(store.images.resolve("app:1").id);
  expect(() => store.images.save(["app:1"], [THIRD], NO_SIGNAL)).toThrow(
    "does not provide the specified platform (linux/mips64le)",
  );
});

test("load() for a platform that the archive has not says so and changes nothing", async () => {
  const store = await openImages();
  const work = store.images.load(
    stream(await layout()),
    { progress: () => undefined, platforms: [THIRD] },
    NO_SIGNAL,
  );
  expect(await work.then(() => "", errorMessage)).toMatch(/does not provide.*mips64le/);
  expect(await store.images.list()).toEqual([]);
  await store[Symbol.asyncDispose]();
});

test("removePlatforms() takes that platform's own blobs and leaves what others share", async () => {
  await using store = await loaded();
  const options = { force: false, users: NOBODY };
  const before = store.images.resolve("app:1");
  const gone = before.variants.find(
    ({ descriptor }) => descriptor.platform?.architecture === OTHER.architecture,
  );
  const removed = await store.images.removePlatforms("app:1", [OTHER], options);
  expect(removed).toEqual([{ kind: "deleted", id: gone?.descriptor.digest ?? before.id }]);
  expect(present(store)).toEqual([OURS.architecture]);
  const [shared] = store.images.resolve("app:1").manifest.layers;
  expect(await store.content.find(shared?.digest ?? before.id)).toBeDefined();
  await expect(store.images.removePlatforms("app:1", [OTHER], options)).rejects.toThrow("it is not here");
  expect(await store.images.removePlatforms("app:1", [OURS], options)).toContainEqual({
    kind: "deleted",
    id: before.id,
  });
  expect(await store.images.list()).toEqual([]);
});

test("removePlatforms() leaves what a container uses", async () => {
  await using store = await loaded();
  const users = [{ containerId: "c".repeat(64), isRunning: true }];
  const work = store.images.removePlatforms("app:1", [OURS], { force: true, users });
  await expect(work).rejects.toThrow("(cannot be forced) - image is being used by running container");
  await store.images.removePlatforms("app:1", [OTHER], { force: false, users });
  expect(present(store)).toEqual([OURS.architecture]);
});

test("attestations() are those about the platform, by type, with the statement when it is asked for", async () => {
  await using store = await loaded();
  const image = store.images.resolve("app:1");
  const ask = { platform: OURS, types: [], wantsStatement: false };
  const predicateType = "https://slsa.dev/provenance/v0.2";
  const descriptor = expect.objectContaining({ digest: digestOf(STATEMENT) });
  expect(await store.images.attestations(image, ask)).toEqual([{ descriptor, predicateType }]);
  expect(
    await store.images.attestations(image, { ...ask, types: [predicateType], wantsStatement: true }),
  ).toEqual([{ descriptor, predicateType, statement: JSON.parse(STATEMENT.toString()) }]);
  expect(await store.images.attestations(image, { ...ask, types: ["other"] })).toEqual([]);
  expect(await store.images.attestations(image, { ...ask, platform: OTHER })).toEqual([]);
  await expect(store.images.attestations(image, { ...ask, platform: THIRD })).rejects.toThrow(
    "has no manifest for linux/mips64le here",
  );
});
