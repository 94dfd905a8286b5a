import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { type Descriptor, decodeDescriptor } from "#oci/descriptor.ts";
import { decodeImageConfig, MAX_CONFIG_BYTES } from "#oci/image-config.ts";
import { encodeDocument, type Manifest } from "#oci/manifest.ts";
import { type Compression, MEDIA_TYPE } from "#oci/media-types.ts";
import { quoted } from "#oci/tar/tar-entry.ts";
import { canonicalReference, parseReference, type Reference } from "#oci/reference.ts";
import { sniffCompression } from "../decompress.ts";
import { checkLayers } from "../read-image.ts";
import type { Content, StoredBlob } from "../stores.ts";
import type { ArchiveContents } from "./read-archive.ts";

/** An image that an archive holds, and the names it gives it. */
export interface ArchivedImage {
  readonly target: Descriptor;
  readonly references: readonly Reference[];
}

const MAX_IMAGES = 4096;

/** Annotations that carry an image's name in an OCI layout: containerd's whole name, the specification's tag or name. */
const NAME_ANNOTATIONS = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/**
 * The images of an archive. An OCI layout is read as one, also when `manifest.json` lies beside it.
 *
 * @throws {EngineError} invalid when it holds none, or names what it does not hold
 */
export async function archivedImages(archive: ArchiveContents, content: Content): Promise<ArchivedImage[]> {
  const layout = archive.documents.get("index.json");
  const images =
    layout && archive.documents.has("oci-layout")
      ? fromLayout(layout)
      : await fromManifestList(archive, content);
  if (images.length === 0) throw new EngineError("invalid", "it holds no images");
  return images;
}

function fromLayout(bytes: Uint8Array): ArchivedImage[] {
  const fields = new Fields(parseJson(decode(bytes), "index.json"), "index.json");
  const entries = fields.list("manifests", decodeDescriptor) ?? [];
  checkCount(entries.length);
  const images = new Map<string, { target: Descriptor; references: Set<Reference> }>();
  for (const { mediaType, digest, size, annotations } of entries) {
    const image = images.get(digest) ?? { target: { mediaType, digest, size }, references: new Set() };
    images.set(digest, image);
    const name = NAME_ANNOTATIONS.map((key) => annotations?.[key]).find(isWholeName);
    if (name !== undefined) image.references.add(canonicalReference(name));
  }
  return [...images.values()].map(({ target, references }) => ({ target, references: [...references] }));
}

/** A tag alone (`latest`) names nothing. */
function isWholeName(text: string | undefined): boolean {
  return text !== undefined && /[:/]/.test(text);
}

async function fromManifestList(archive: ArchiveContents, content: Content): Promise<ArchivedImage[]> {
  const bytes = archive.documents.get("manifest.json");
  if (!bytes) {
    const why = archive.documents.has("repositories")
      ? "it is of the form before Docker 1.10, without manifest.json"
      : "it holds neither manifest.json nor an OCI layout";
    throw new EngineError("invalid", why, {
      hint: "`darse import` takes the file system of a container; `darse load` takes what `darse save` wrote",
    });
  }
  const list =
    new Fields({ list: parseJson(decode(bytes), "manifest.json") }, "").list("list", readItem) ?? [];
  checkCount(list.length);
  const images: ArchivedImage[] = [];
  for (const item of list) images.push(await fromItem(item, archive, content));
  return images;
}

interface ManifestItem {
  readonly config: string;
  readonly layers: readonly string[];
  readonly names: readonly string[];
}

function readItem(value: unknown): ManifestItem {
  const fields = new Fields(value, "manifest.json");
  return {
    config: fields.required("Config", fields.string("Config")),
    layers: fields.strings("Layers") ?? [],
    names: fields.strings("RepoTags") ?? [],
  };
}

async function fromItem(
  item: ManifestItem,
  archive: ArchiveContents,
  content: Content,
): Promise<ArchivedImage> {
  const references = item.names.map((name) => {
    parseReference(name);
    return canonicalReference(name);
  });
  const config = find(archive, item.config, "config");
  const layers: Descriptor[] = [];
  for (const path of item.layers) layers.push(await layerDescriptor(find(archive, path, "layer"), content));
  const manifest: Manifest = {
    mediaType: MEDIA_TYPE.ociManifest,
    config: { mediaType: MEDIA_TYPE.ociConfig, ...config },
    layers,
  };
  await checkConfig(manifest, content);
  const stored = await content.writeBytes(encodeDocument(manifest));
  return { target: { mediaType: MEDIA_TYPE.ociManifest, ...stored }, references };
}

function find(archive: ArchiveContents, path: string, what: string): StoredBlob {
  const blob = archive.find(path);
  if (blob) return { digest: blob.digest, size: blob.size };
  throw new EngineError("invalid", `manifest.json names the ${what} ${quoted(path)}, which is not in it`);
}

/** A layer without compression is its own diff ID: what does not fit its config is found out before it is unpacked. */
async function checkConfig(manifest: Manifest, content: Content): Promise<void> {
  const { diffIds } = decodeImageConfig(await content.readBytes(manifest.config.digest, MAX_CONFIG_BYTES));
  checkLayers(manifest, diffIds.length);
  for (const [index, { mediaType, digest }] of manifest.layers.entries()) {
    if (mediaType !== MEDIA_TYPE.ociLayer || diffIds[index] === digest) continue;
    throw new EngineError(
      "corrupt",
      `layer ${index + 1} has digest ${digest}, the image config says ${diffIds[index]}`,
    );
  }
}

const LAYER_TYPE: Readonly<Record<Compression, string>> = {
  none: MEDIA_TYPE.ociLayer,
  gzip: MEDIA_TYPE.ociLayerGzip,
  zstd: MEDIA_TYPE.ociLayerZstd,
};

/** A descriptor for a stored layer; how it is compressed is read from its first bytes. */
export async function layerDescriptor(blob: StoredBlob, content: Content): Promise<Descriptor> {
  let head: Uint8Array = new Uint8Array();
  for await (const chunk of content.read(blob.digest)) {
    head = chunk;
    break;
  }
  return { mediaType: LAYER_TYPE[sniffCompression(head, `layer ${blob.digest}`)], ...blob };
}

function checkCount(count: number): void {
  if (count > MAX_IMAGES)
    throw new EngineError("invalid", `it names ${count} images, at most ${MAX_IMAGES} are read`);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
