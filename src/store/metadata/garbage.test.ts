import { expect, test } from "bun:test";
import { mkdirSync, utimesSync } from "node:fs";
import { type ChainId, chainIds, type Digest, digestOf, parseDiffId } from "#oci/digest.ts";
import { encodeImageConfig } from "#oci/image-config.ts";
import { encodeDocument } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { canonicalReference } from "#oci/reference.ts";
import { NO_SIGNAL, temporaryFolder } from "../_fixtures.ts";
import { ContentStore } from "../content/content-store.ts";
import { CopyingSnapshotter } from "../snapshot/copying-snapshotter.ts";
import { type Database, IN_MEMORY, openDatabase } from "./database.ts";
import { collectGarbage } from "./garbage.ts";

interface Store extends Disposable {
  readonly database: Database;
  readonly content: ContentStore;
  readonly snapshots: CopyingSnapshotter;
}

async function openStore(): Promise<Store> {
  const folder = temporaryFolder();
  mkdirSync(folder.at("snapshots"));
  return {
    database: openDatabase(IN_MEMORY),
    content: await ContentStore.open(folder.at("content")),
    snapshots: new CopyingSnapshotter(folder.at("snapshots")),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

interface StoredImage {
  readonly manifest: Digest;
  readonly blobs: Digest[];
  readonly chain: ChainId[];
}

/** An image of the given layers, blobs made long ago, layers unpacked; nothing refers to it. */
async function storeImage({ content, snapshots }: Store, ...layers: string[]): Promise<StoredImage> {
  const blobs: Digest[] = [];
  const store = async (
    bytes: Uint8Array | string,
  ): Promise<{ digest: Digest; size: number; mediaType: string }> => {
    const stored = await content.writeBytes(typeof bytes === "string" ? Buffer.from(bytes) : bytes);
    utimesSync(content.path(stored.digest), 1, 1);
    blobs.push(stored.digest);
    return { ...stored, mediaType: MEDIA_TYPE.ociLayer };
  };
  const diffIds = layers.map((layer) => parseDiffId(digestOf(`diff of ${layer}`)));
  const descriptors = await Promise.all(layers.map(store));
  const platform = { os: "linux", architecture: "amd64" };
  const config = await store(encodeImageConfig({ platform, config: {}, diffIds, history: [] }));
  const manifest = await store(
    encodeDocument({
      mediaType: MEDIA_TYPE.ociManifest,
      config: { ...config, mediaType: MEDIA_TYPE.ociConfig },
      layers: descriptors,
    }),
  );
  const chain = chainIds(diffIds);
  for (const [index, chainId] of chain.entries()) {
    await using draft = await snapshots.draft();
    const diffId = diffIds[index] ?? parseDiffId(digestOf(""));
    await draft.commit({ chainId, parent: chain[index - 1], diffId, sizeBytes: 10 });
  }
  return { manifest: manifest.digest, blobs, chain };
}

function refer({ database }: Store, name: string, image: StoredImage): void {
  const target = { mediaType: MEDIA_TYPE.ociManifest, digest: image.manifest, size: 1 };
  database.references.set(canonicalReference(name), target, 1);
}

async function collect(store: Store, roots: { digests?: Digest[]; chainIds?: ChainId[] } = {}) {
  const { digests = [], chainIds: chains = [] } = roots;
  return await collectGarbage({ ...store, roots: { digests, chainIds: chains } }, NO_SIGNAL);
}

test("what a reference reaches stays, all else goes", async () => {
  using store = await openStore();
  const kept = await storeImage(store, "base", "kept");
  const dropped = await storeImage(store, "base", "dropped");
  refer(store, "kept", kept);
  const collected = await collect(store);
  const gone = dropped.blobs.filter((digest) => !kept.blobs.includes(digest));
  expect(new Set(collected.digests)).toEqual(new Set(gone));
  expect(collected.chainIds).toEqual(dropped.chain.slice(1));
  expect(store.snapshots.list().map(({ chainId }) => chainId)).toEqual(kept.chain);
  expect(collected.reclaimedBytes).toBeGreaterThan(10);
  expect((await collect(store)).digests).toEqual([]);
});

test("an index keeps its manifests, those of other platforms need not be here", async () => {
  using store = await openStore();
  const image = await storeImage(store, "base");
  const here = { mediaType: MEDIA_TYPE.ociManifest, digest: image.manifest, size: 1 };
  const index = await store.content.writeBytes(
    encodeDocument({
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: [here, { ...here, digest: digestOf("absent") }],
    }),
  );
  store.database.references.set(canonicalReference("i"), { mediaType: MEDIA_TYPE.ociIndex, ...index }, 1);
  expect(await collect(store)).toMatchObject({ digests: [], chainIds: [] });
});

test("what other rooms use stays, with everything below it", async () => {
  using store = await openStore();
  const used = await storeImage(store, "one");
  const cached = await storeImage(store, "two", "three");
  const collected = await collect(store, { digests: [used.manifest], chainIds: cached.chain.slice(1) });
  expect(new Set(collected.digests)).toEqual(new Set(cached.blobs));
  expect(collected.chainIds).toEqual([]);
});

test("a lease keeps what it holds, and everything that is made while it is open", async () => {
  using store = await openStore();
  const held = await storeImage(store, "held");
  const lease = store.database.leases.open();
  lease.holdBlob(held.manifest);
  const { digest } = await store.content.writeBytes(Buffer.from("new"));
  expect(await collect(store)).toMatchObject({ digests: [], chainIds: [] });
  lease[Symbol.dispose]();
  utimesSync(store.content.path(digest), 1, 1);
  expect((await collect(store)).digests).toHaveLength(held.blobs.length + 1);
});

test("a snapshot that a container stands on is kept without being named", async () => {
  using store = await openStore();
  const image = await storeImage(store, "base");
  await store.snapshots.prepare("container", image.chain[0]);
  expect((await collect(store)).chainIds).toEqual([]);
});

test("a blob that only looks like text leads no further", async () => {
  using store = await openStore();
  const { digest } = await store.content.writeBytes(Buffer.from('{"schemaVersion":2}'));
  utimesSync(store.content.path(digest), 1, 1);
  expect((await collect(store, { digests: [digest] })).digests).toEqual([]);
});
