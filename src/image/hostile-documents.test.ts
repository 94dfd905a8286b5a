import fc from "fast-check";
import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { digestOf } from "#oci/digest.ts";
import { encodeDocument } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { dockerArchive, manifestOf, sampleImage, tarOf } from "./_fixtures/archives.ts";
import { openImages } from "./_fixtures/open-images.ts";
import { NO_SIGNAL, stream } from "./_fixtures/streams.ts";
import { readImage } from "./read-image.ts";

const KEYS = [
  "schemaVersion",
  "mediaType",
  "config",
  "layers",
  "manifests",
  "digest",
  "size",
  "platform",
  "annotations",
  "__proto__",
  "constructor",
];

/** JSON that looks like a manifest here and there. */
const documents = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.string(),
    fc.integer(),
    fc.constant(null),
    fc.constantFrom<string>(...Object.values(MEDIA_TYPE), digestOf("x")),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie("value"), { maxKeys: 6 }),
  ),
})).value;

test("no document makes readImage() fail in another way than an EngineError (case 29)", async () => {
  await using store = await openImages();
  await fc.assert(
    fc.asyncProperty(
      documents,
      fc.constantFrom(...Object.values(MEDIA_TYPE)),
      async (document, mediaType) => {
        const stored = await store.content.writeBytes(Buffer.from(JSON.stringify(document)));
        const failure = await readImage(store.content, { mediaType, ...stored }).catch(
          (error: unknown) => error,
        );
        expect(failure).toBeInstanceOf(EngineError);
      },
    ),
    { numRuns: 300 },
  );
});

test("hostile labels and a hundred thousand variables are only text (case 29)", async () => {
  await using store = await openImages();
  const labels = new Map([
    ["__proto__", "p"],
    ["constructor", "c"],
    ["long", "x".repeat(1024 * 1024)],
  ]);
  const env = Array.from({ length: 100_000 }, (_, index) => `V${index}=${index}`);
  const image = await sampleImage([{ a: "b" }], { config: { labels, env } });
  await store.images.load(
    stream(await tarOf(dockerArchive(image, ["app"]))),
    { progress: () => undefined },
    NO_SIGNAL,
  );
  const loaded = store.images.resolve("app");
  expect(loaded.config.config.labels?.get("__proto__")).toBe("p");
  expect(loaded.config.config.env).toHaveLength(100_000);
  expect(Object.getOwnPropertyDescriptor(store.events[0]?.attributes, "__proto__")?.value).toBe("p");
  expect(Object.hasOwn(Object.prototype, "p")).toBe(false);
});

test("of an index what is not here is absent, attestations are no images", async () => {
  await using store = await openImages();
  const image = await sampleImage([{ a: "b" }]);
  const { bytes, digest } = manifestOf(image);
  for (const blob of [bytes, image.config, ...image.layers]) await store.content.writeBytes(blob);
  const entry = { mediaType: MEDIA_TYPE.ociManifest, size: bytes.byteLength };
  const index = encodeDocument({
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: [
      { ...entry, digest: digestOf("elsewhere"), platform: { os: "linux", architecture: "s390x" } },
      { ...entry, digest, platform: { os: "unknown", architecture: "unknown" } },
      { ...entry, digest, platform: { os: "linux", architecture: "amd64" } },
    ],
  });
  const stored = await store.content.writeBytes(index);
  const { variants } = await readImage(store.content, { mediaType: MEDIA_TYPE.ociIndex, ...stored });
  expect(variants.map(({ kind }) => kind)).toEqual(["absent", "attestation", "present"]);
});
