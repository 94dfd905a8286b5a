import { digestHex, digestOf, type DiffId, type Digest } from "#oci/digest.ts";
import { encodeImageConfig, type ImageConfig } from "#oci/image-config.ts";
import { encodeDocument } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { hostPlatform } from "#oci/platform.ts";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { writeTar } from "#oci/tar/tar-writer.ts";
import { gather } from "./streams.ts";

export type Contents = Readonly<Record<string, Uint8Array | string | { readonly link: string }>>;

/** A tar of files and symlinks, in the order given. */
export async function tarOf(contents: Contents): Promise<Buffer> {
  const entries = Object.entries(contents).map(([path, content]): [TarEntry, Uint8Array[]] => {
    const base = { path, mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, xattrs: new Map<string, Uint8Array>() };
    if (typeof content === "object" && "link" in content)
      return [{ ...base, type: "symlink", size: 0, linkName: content.link }, []];
    const bytes = Buffer.from(content);
    return [{ ...base, type: "file", size: bytes.byteLength }, [bytes]];
  });
  return await gather(writeTar(entries));
}

/** An image of as many layers as files are given, each holding one of them. */
export interface SampleImage {
  readonly layers: readonly Buffer[];
  readonly config: Buffer;
  readonly diffIds: readonly DiffId[];
}

export async function sampleImage(
  files: readonly Contents[],
  overrides: Partial<ImageConfig> = {},
): Promise<SampleImage> {
  const layers = await Promise.all(files.map(tarOf));
  // a digest of a layer's plain tar is what a diff ID is
  const diffIds = layers.map((layer) => digestOf(layer) as DiffId);
  const config: ImageConfig = {
    created: "2024-01-02T03:04:05Z",
    platform: hostPlatform(),
    config: { cmd: ["sh"] },
    diffIds,
    history: layers.map((_, index) => ({ createdBy: `step ${index}`, created: "2024-01-02T03:04:05Z" })),
    ...overrides,
  };
  return { layers, config: Buffer.from(encodeImageConfig(config)), diffIds };
}

/** The files of an archive as `docker save` wrote them before 25. */
export function dockerArchive(image: SampleImage, tags: readonly string[] | null): Contents {
  const layers = image.layers.map((layer, index) => [`layer${index}/layer.tar`, layer] as const);
  const item = { Config: "config.json", RepoTags: tags, Layers: layers.map(([path]) => path) };
  return {
    ...Object.fromEntries(layers),
    "config.json": image.config,
    "manifest.json": JSON.stringify([item]),
  };
}

/** The OCI manifest of an image and its digest. */
export function manifestOf(image: SampleImage): { readonly bytes: Buffer; readonly digest: Digest } {
  const bytes = Buffer.from(
    encodeDocument({
      mediaType: MEDIA_TYPE.ociManifest,
      config: {
        mediaType: MEDIA_TYPE.ociConfig,
        digest: digestOf(image.config),
        size: image.config.byteLength,
      },
      layers: image.layers.map((layer) => ({
        mediaType: MEDIA_TYPE.ociLayer,
        digest: digestOf(layer),
        size: layer.byteLength,
      })),
    }),
  );
  return { bytes, digest: digestOf(bytes) };
}

/** The files of an OCI image layout. */
export function ociLayout(image: SampleImage, annotations?: Readonly<Record<string, string>>): Contents {
  const { bytes, digest } = manifestOf(image);
  const blobs = [bytes, image.config, ...image.layers];
  const entry = {
    mediaType: MEDIA_TYPE.ociManifest,
    digest,
    size: bytes.byteLength,
    ...(annotations && { annotations }),
  };
  return {
    "oci-layout": JSON.stringify({ imageLayoutVersion: "1.0.0" }),
    "index.json": JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
    ...Object.fromEntries(blobs.map((blob) => [blobPath(digestOf(blob)), blob])),
  };
}

export function blobPath(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`;
}
