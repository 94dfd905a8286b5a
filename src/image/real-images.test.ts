import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect } from "bun:test";
import { openKernel } from "#linux/real-kernel.ts";
import { digestOf } from "#oci/digest.ts";
import { encodeDocument } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { startDockerRegistry } from "../../test/fixtures/docker-registry.ts";
import { needs } from "../../test/needs.ts";
import { dockerArchive, type SampleImage, sampleImage, tarOf } from "./_fixtures/archives.ts";
import { openRealImages, type RealImages } from "./_fixtures/open-real-images.ts";
import { NO_SIGNAL, stream } from "./_fixtures/streams.ts";
import type { Image } from "./image.ts";

const LAYERS = [
  { "etc/kept": "one", "etc/gone": "one", "folder/old": "one" },
  { "etc/.wh.gone": "", "etc/kept": "two" },
  { "folder/.wh..wh..opq": "", "folder/new": "three" },
];

/** Looks at an image's files through a mounted view. */
async function look<T>(store: RealImages, image: Image, see: (root: string) => T): Promise<T> {
  const top = await store.images.unpack(image, NO_SIGNAL);
  if (top === undefined) throw new Error("no layers");
  const target = join(store.root, "view");
  store.snapshots.mountView(top, target);
  try {
    return see(target);
  } finally {
    openKernel().unmount(target);
  }
}

function expectLayers(root: string): void {
  expect(readdirSync(join(root, "etc"))).toEqual(["kept"]);
  expect(readFileSync(join(root, "etc/kept"), "utf8")).toBe("two");
  expect(readdirSync(join(root, "folder"))).toEqual(["new"]);
}

needs("root", "overlay")("a loaded archive is unpacked on overlayfs, whiteouts and all", async () => {
  await using store = await openRealImages();
  const archive = await tarOf(dockerArchive(await sampleImage(LAYERS), ["app"]));
  await store.images.load(stream(archive, 64_000), { progress: () => undefined }, NO_SIGNAL);
  await look(store, store.images.resolve("app"), expectLayers);
});

needs("root", "overlay")(
  "removing an image takes its blobs and snapshots, but not what another one shares",
  async () => {
    await using store = await openRealImages();
    for (const [name, layers] of [
      ["one", LAYERS],
      ["two", LAYERS.slice(0, 1)],
    ] as const) {
      const archive = await tarOf(dockerArchive(await sampleImage(layers), [name]));
      await store.images.load(stream(archive, 64_000), { progress: () => undefined }, NO_SIGNAL);
    }
    expect(store.snapshots.list()).toHaveLength(3);
    await store.images.remove("one", { force: false, users: [] });
    expect(store.snapshots.list()).toHaveLength(1);
    expect(await Array.fromAsync(store.content.list())).toHaveLength(3);
    await store.images.remove("two", { force: false, users: [] });
    expect([store.snapshots.list(), await Array.fromAsync(store.content.list())]).toEqual([[], []]);
  },
);

needs("root", "overlay")("a broken layer leaves no blob and no snapshot", async () => {
  await using store = await openRealImages();
  const image = await sampleImage(LAYERS);
  const broken = {
    ...image,
    layers: [image.layers[0] ?? "", Buffer.alloc(3000, "x"), image.layers[2] ?? ""],
  };
  const config = (await sampleImage(LAYERS, { diffIds: broken.layers.map((layer) => asDiffId(layer)) }))
    .config;
  const archive = await tarOf(
    dockerArchive({ ...image, config, layers: broken.layers.map((layer) => Buffer.from(layer)) }, ["bad"]),
  );
  await expect(store.images.load(stream(archive), { progress: () => undefined }, NO_SIGNAL)).rejects.toThrow(
    "Cannot load the archive",
  );
  expect([store.snapshots.list(), await Array.fromAsync(store.content.list())]).toEqual([[], []]);
});

function asDiffId(layer: Uint8Array | string): SampleImage["diffIds"][number] {
  // a digest of a layer's plain tar is what a diff ID is
  return digestOf(layer) as SampleImage["diffIds"][number];
}

needs(
  "root",
  "overlay",
  "busybox",
)("an imported file system runs as it was", async () => {
  await using store = await openRealImages();
  const program = readFileSync("/bin/busybox");
  const tar = gzipSync(await tarOf({ "bin/busybox": program, "bin/sh": { link: "busybox" } }), { level: 1 });
  const options = { changes: [], message: "made", platform: { os: "linux", architecture: "amd64" } };
  const image = await store.images.importTar(stream(tar, 65_536), options, NO_SIGNAL);
  await look(store, image, (root) => {
    expect(readFileSync(join(root, "bin/sh")).equals(program)).toBe(true);
  });
});

needs("root", "overlay", "docker-registry")(
  "an image is pulled from Debian's docker-registry, layers of every compression",
  async () => {
    await using registry = await startDockerRegistry();
    await using store = await openRealImages();
    const image = await sampleImage(LAYERS);
    const layers = image.layers.map(
      (layer, index) => [layer, gzipSync(layer), zstdCompressSync(layer)][index] ?? layer,
    );
    const types = [MEDIA_TYPE.ociLayer, MEDIA_TYPE.ociLayerGzip, MEDIA_TYPE.ociLayerZstd];
    const manifest = encodeDocument({
      mediaType: MEDIA_TYPE.ociManifest,
      config: {
        mediaType: MEDIA_TYPE.ociConfig,
        digest: digestOf(image.config),
        size: image.config.byteLength,
      },
      layers: layers.map((layer, index) => ({
        mediaType: types[index] ?? MEDIA_TYPE.ociLayer,
        digest: digestOf(layer),
        size: layer.byteLength,
      })),
    });
    await registry.push(
      "team/app",
      { blobs: [image.config, ...layers], manifest, mediaType: MEDIA_TYPE.ociManifest },
      "1.0",
    );
    const pulled = await store.images.pull(`${registry.host}/team/app:1.0`, {}, () => undefined, NO_SIGNAL);
    expect(pulled.id).toBe(digestOf(manifest));
    await look(store, pulled, expectLayers);
    await expect(
      store.images.pull(`${registry.host}/team/app:2.0`, {}, () => undefined, NO_SIGNAL),
    ).rejects.toThrow(
      `manifest for ${registry.host}/team/app:2.0 not found: manifest unknown: manifest unknown`,
    );
    await expect(
      store.images.pull(`${registry.host}/team/nope:1`, {}, () => undefined, NO_SIGNAL),
    ).rejects.toThrow("manifest unknown");
    expect(existsSync(store.content.path(digestOf(layers[1] ?? "")))).toBe(true);
  },
  30_000,
);
