import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { type Descriptor, decodeDescriptor } from "./descriptor.ts";
import { isIndex, isManifest, MEDIA_TYPE } from "./media-types.ts";
import { type Platform, platformMatches } from "./platform.ts";

/** One image for one platform. OCI image-spec, manifest.md. */
export interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** What kind of artifact it is, when it is no image. */
  readonly artifactType?: string;
  /** The manifest that this one is about: a signature, a bill of materials. */
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Several images under one name. OCI image-spec, image-index.md. */
export interface Index {
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export type ManifestDocument =
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "index"; readonly index: Index };

/** Larger documents are refused unread. OCI distribution-spec, "Pushing Manifests": at least 4 MiB must be taken. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

const MAX_ENTRIES = 4096;

/**
 * Reads manifest or index bytes. A document that could be read as both (CVE-2021-41190) is refused.
 *
 * @param mediaType what the transport called it, `undefined` when it did not say
 * @throws {EngineError} invalid
 */
export function decodeManifestDocument(bytes: Uint8Array, mediaType?: string): ManifestDocument {
  if (bytes.byteLength > MAX_MANIFEST_BYTES) {
    throw new EngineError(
      "invalid",
      `Cannot read manifest: ${bytes.byteLength} bytes are more than ${MAX_MANIFEST_BYTES}`,
    );
  }
  const fields = new Fields(parseJson(new TextDecoder().decode(bytes), "manifest"), "manifest");
  const inside = fields.string("mediaType");
  if (inside !== undefined && mediaType !== undefined && isImageDocument(mediaType) && inside !== mediaType) {
    throw new EngineError(
      "invalid",
      `Cannot read manifest: it calls itself "${inside}" but was sent as "${mediaType}"`,
    );
  }
  const looksLikeIndex = fields.has("manifests");
  const looksLikeManifest = fields.has("config") || fields.has("layers") || fields.has("fsLayers");
  if (looksLikeIndex === looksLikeManifest) {
    const why = looksLikeIndex
      ? "it is both a manifest and an index"
      : "it is neither a manifest nor an index";
    throw new EngineError("invalid", `Cannot read manifest: ${why}`);
  }
  const type = inside ?? (mediaType !== undefined && isImageDocument(mediaType) ? mediaType : undefined);
  return looksLikeIndex
    ? { kind: "index", index: decodeIndex(fields, type) }
    : { kind: "manifest", manifest: decodeManifest(fields, type) };
}

/** The bytes of a manifest or index that we make: key order and spacing are fixed, so that equal input gives one digest. */
export function encodeDocument(document: Manifest | Index): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, ...document }, undefined, 2));
}

/** The entry of `index` for `wanted`; attestations and foreign platforms are passed over. */
export function selectPlatform(index: Index, wanted: Platform): Descriptor | undefined {
  const images = index.manifests.filter((entry) => !isAttestation(entry));
  return (
    images.find((entry) => entry.platform !== undefined && platformMatches(wanted, entry.platform)) ??
    (images.length === 1 && images[0]?.platform === undefined ? images[0] : undefined)
  );
}

/** BuildKit stores provenance beside images as entries of an index; they are not images. */
export function isAttestation(entry: Descriptor): boolean {
  return (
    entry.annotations?.["vnd.docker.reference.type"] === "attestation-manifest" ||
    entry.platform?.os === "unknown"
  );
}

function isImageDocument(mediaType: string): boolean {
  return isIndex(mediaType) || isManifest(mediaType);
}

function decodeManifest(fields: Fields, mediaType = MEDIA_TYPE.ociManifest as string): Manifest {
  if (!isManifest(mediaType))
    throw new EngineError("invalid", `Cannot read manifest: unsupported media type "${mediaType}"`);
  const layers = fields.list("layers", decodeDescriptor) ?? [];
  checkCount(layers.length);
  return {
    mediaType,
    config: decodeDescriptor(fields.required("config", fields.raw("config")), "manifest.config"),
    layers,
    ...relationsOf(fields),
    ...annotationsOf(fields),
  };
}

function decodeIndex(fields: Fields, mediaType = MEDIA_TYPE.ociIndex as string): Index {
  if (!isIndex(mediaType))
    throw new EngineError("invalid", `Cannot read index: unsupported media type "${mediaType}"`);
  const manifests = fields.list("manifests", decodeDescriptor) ?? [];
  checkCount(manifests.length);
  return { mediaType, manifests, ...relationsOf(fields), ...annotationsOf(fields) };
}

function relationsOf(fields: Fields): { artifactType?: string; subject?: Descriptor } {
  const artifactType = fields.string("artifactType");
  return {
    ...(artifactType !== undefined && { artifactType }),
    ...(fields.has("subject") && { subject: decodeDescriptor(fields.raw("subject"), "manifest.subject") }),
  };
}

function annotationsOf(fields: Fields): { annotations?: Record<string, string> } {
  const annotations = fields.stringMap("annotations");
  return annotations ? { annotations: Object.fromEntries(annotations) } : {};
}

function checkCount(entries: number): void {
  if (entries > MAX_ENTRIES)
    throw new EngineError("invalid", `Cannot read manifest: ${entries} entries are more than ${MAX_ENTRIES}`);
}
