import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type Digest, digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { openImages } from "./_fixtures/open-images.ts";
import { isForeign, type PushTree, readPushTree, withReplaced } from "./push-tree.ts";
import type { Content, StoredBlob } from "./stores.ts";

function descriptor(text: string, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(text), size: Buffer.byteLength(text) };
}

function treeOf(document: object, mediaType: string): PushTree {
  const bytes = Buffer.from(JSON.stringify(document));
  const target = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
  return { target, bytes, children: [], config: undefined, layers: [] };
}

function read({ bytes }: { readonly bytes: Uint8Array }): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}

const PLAIN = descriptor("plain layer", MEDIA_TYPE.ociLayer);
const CONFIG = descriptor("{}", MEDIA_TYPE.ociConfig);
const SMALL: StoredBlob = { digest: digestOf("compressed"), size: 3 };

test("a manifest in which nothing is replaced keeps its very bytes", () => {
  const tree = treeOf({ schemaVersion: 2, config: CONFIG, layers: [PLAIN] }, MEDIA_TYPE.ociManifest);
  expect(withReplaced(tree, new Map()).bytes).toBe(tree.bytes);
  expect(withReplaced(tree, new Map()).digest).toBe(tree.target.digest);
});

test("a replaced layer changes its digest, size and type, and nothing else", () => {
  const docker = { ...PLAIN, mediaType: MEDIA_TYPE.dockerLayer, digest: digestOf("other") };
  const document = {
    schemaVersion: 2,
    artifactType: "a/b",
    config: CONFIG,
    layers: [{ ...PLAIN, annotations: { title: "x" } }, docker],
    subject: descriptor("subject", MEDIA_TYPE.ociManifest),
    annotations: { __proto__x: "kept", by: "ann" },
  };
  const replaced = new Map<Digest, StoredBlob>([
    [PLAIN.digest, SMALL],
    [docker.digest, SMALL],
  ]);
  const changed = withReplaced(treeOf(document, MEDIA_TYPE.ociManifest), replaced);
  expect(changed.digest).toBe(digestOf(changed.bytes));
  expect(changed.size).toBe(changed.bytes.byteLength);
  expect(read(changed)).toEqual({
    ...document,
    layers: [
      { ...SMALL, mediaType: MEDIA_TYPE.ociLayerGzip, annotations: { title: "x" } },
      { ...SMALL, mediaType: MEDIA_TYPE.dockerLayerGzip },
    ],
  });
});

test("an attestation follows the manifest that it is about", () => {
  const image = descriptor("image", MEDIA_TYPE.ociManifest);
  const about = {
    "vnd.docker.reference.type": "attestation-manifest",
    "vnd.docker.reference.digest": image.digest,
  };
  const attestation = { ...descriptor("attestation", MEDIA_TYPE.ociManifest), annotations: about };
  const tree = treeOf({ schemaVersion: 2, manifests: [image, attestation] }, MEDIA_TYPE.ociIndex);
  const changed = withReplaced(tree, new Map([[image.digest, SMALL]]));
  expect(read(changed)).toMatchObject({
    manifests: [
      { ...SMALL, mediaType: MEDIA_TYPE.ociManifest },
      { digest: attestation.digest, annotations: { "vnd.docker.reference.digest": SMALL.digest } },
    ],
  });
});

async function store(content: Content, document: object, mediaType: string): Promise<Descriptor> {
  return { mediaType, ...(await content.writeBytes(Buffer.from(JSON.stringify(document)))) };
}

test("a blob that is not here is named, a foreign layer may be missing", async () => {
  await using at = await openImages();
  const config = { mediaType: MEDIA_TYPE.ociConfig, ...(await at.content.writeBytes(Buffer.from("{}"))) };
  const foreign = { ...PLAIN, urls: ["https://elsewhere.example/layer"] };
  expect([isForeign(foreign), isForeign(PLAIN)]).toEqual([true, false]);
  const whole = await store(
    at.content,
    { schemaVersion: 2, config, layers: [foreign] },
    MEDIA_TYPE.ociManifest,
  );
  expect((await readPushTree(at.content, whole)).layers).toMatchObject([{ digest: PLAIN.digest }]);
  const torn = await store(at.content, { schemaVersion: 2, config, layers: [PLAIN] }, MEDIA_TYPE.ociManifest);
  const error: unknown = await readPushTree(at.content, torn).catch((reason: unknown) => reason);
  expect(EngineError.is(error, "not-found")).toBe(true);
  expect(String(error)).toContain(PLAIN.digest);
});

test("indexes inside indexes are read so deep and no deeper", async () => {
  await using at = await openImages();
  const config = { mediaType: MEDIA_TYPE.ociConfig, ...(await at.content.writeBytes(Buffer.from("{}"))) };
  let inner = await store(at.content, { schemaVersion: 2, config, layers: [] }, MEDIA_TYPE.ociManifest);
  for (let depth = 0; depth < 4; depth++) {
    inner = await store(at.content, { schemaVersion: 2, manifests: [inner] }, MEDIA_TYPE.ociIndex);
    expect((await readPushTree(at.content, inner)).children).toHaveLength(1);
  }
  const deep = await store(at.content, { schemaVersion: 2, manifests: [inner] }, MEDIA_TYPE.ociIndex);
  await expect(readPushTree(at.content, deep)).rejects.toThrow("nested too deep");
});
