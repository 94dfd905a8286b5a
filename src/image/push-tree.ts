import { parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type Digest, digestOf } from "#oci/digest.ts";
import { decodeManifestDocument, MAX_MANIFEST_BYTES } from "#oci/manifest.ts";
import { isIndex, isManifest, layerCompression, MEDIA_TYPE } from "#oci/media-types.ts";
import type { Content, StoredBlob } from "./stores.ts";

/** A manifest or index that is here with all that it names. */
export interface PushTree {
  readonly target: Descriptor;
  readonly bytes: Uint8Array;
  /** Of an index, in its order. */
  readonly children: readonly PushTree[];
  /** Of a manifest. */
  readonly config: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
}

const MAX_DEPTH = 4;

/**
 * What there is to push for `target`.
 *
 * @throws {EngineError} not-found, naming the blob, when anything is not here; foreign layers need not be
 */
export async function readPushTree(content: Content, target: Descriptor, depth = 0): Promise<PushTree> {
  const bytes = await content.readBytes(target.digest, MAX_MANIFEST_BYTES);
  const document = decodeManifestDocument(bytes, target.mediaType || undefined);
  if (document.kind === "index") {
    if (depth === MAX_DEPTH) throw new EngineError("invalid", `index ${target.digest} is nested too deep`);
    const children: PushTree[] = [];
    for (const entry of document.index.manifests) children.push(await readChild(content, entry, depth + 1));
    return { target, bytes, children, config: undefined, layers: [] };
  }
  const { config, layers } = document.manifest;
  for (const blob of [config, ...layers]) {
    if (isForeign(blob) || (await content.find(blob.digest))) continue;
    throw new EngineError("not-found", `blob ${blob.digest} of ${target.digest} is not here`);
  }
  return { target, bytes, children: [], config, layers };
}

/** An entry of an index may be any blob. */
async function readChild(content: Content, entry: Descriptor, depth: number): Promise<PushTree> {
  if (entry.mediaType === "" || isIndex(entry.mediaType) || isManifest(entry.mediaType))
    return await readPushTree(content, entry, depth);
  throw new EngineError("unsupported", `Cannot push ${entry.digest}: an index that holds ${entry.mediaType}`);
}

/** A layer that is to be had from its `urls` alone; it is not pushed. */
export function isForeign(layer: Descriptor): boolean {
  return (layer.urls?.length ?? 0) > 0;
}

/** True for a layer that is compressed before it is pushed. */
export function isPlainLayer({ mediaType }: Descriptor): boolean {
  return layerCompression(mediaType) === "none";
}

/** A manifest or index as it is pushed. */
export interface PushedDocument extends StoredBlob {
  readonly bytes: Uint8Array;
}

/** The document with other blobs in the place of some it names; its own bytes when there are none. Nothing else changes. */
export function withReplaced(
  { bytes, target }: PushTree,
  replaced: ReadonlyMap<Digest, StoredBlob>,
): PushedDocument {
  if (replaced.size === 0) return { bytes, digest: target.digest, size: bytes.byteLength };
  const document = parseJson(new TextDecoder().decode(bytes), "manifest");
  const text = JSON.stringify(document, (_key, value: unknown) => replaceIn(value, replaced), 2);
  const changed = new TextEncoder().encode(text);
  return { bytes: changed, digest: digestOf(changed), size: changed.byteLength };
}

const GZIP_TYPE: ReadonlyMap<unknown, string> = new Map([
  [MEDIA_TYPE.ociLayer, MEDIA_TYPE.ociLayerGzip],
  [MEDIA_TYPE.dockerLayer, MEDIA_TYPE.dockerLayerGzip],
]);

/** BuildKit's attestations name the manifest they are about. */
const ABOUT = "vnd.docker.reference.digest";

function replaceIn(value: unknown, replaced: ReadonlyMap<string, StoredBlob>): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const fields = new Map<string, unknown>(Object.entries(value));
  const about = replaced.get(String(fields.get(ABOUT)));
  if (about) fields.set(ABOUT, about.digest);
  const blob = replaced.get(String(fields.get("digest")));
  if (blob) {
    const mediaType = fields.get("mediaType");
    fields.set("mediaType", GZIP_TYPE.get(mediaType) ?? mediaType);
    fields.set("digest", blob.digest);
    fields.set("size", blob.size);
  }
  return about || blob ? Object.fromEntries(fields) : value;
}
