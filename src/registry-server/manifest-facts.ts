import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type Digest, parseDigest } from "#oci/digest.ts";
import { decodeManifestDocument, type ManifestDocument } from "#oci/manifest.ts";
import { Fault } from "./fault.ts";

/** What a registry needs to know of a manifest or index. */
export interface ManifestFacts {
  readonly mediaType: string;
  /** Config and layers, by digest and size. */
  readonly blobs: readonly Part[];
  /** The entries of an index. */
  readonly manifests: readonly Digest[];
  readonly subject?: Digest;
  /** As the list of referrers shows it. OCI distribution-spec, "Listing Referrers". */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Part {
  readonly digest: Digest;
  readonly size: number;
  /** Its bytes may lie elsewhere (a "foreign" layer). */
  readonly isElsewhere: boolean;
}

/**
 * Reads what a client pushed as a manifest.
 *
 * @throws {Fault} MANIFEST_INVALID, also when its bytes do not show the type that it was sent as
 */
export function readPushedManifest(bytes: Uint8Array, contentType: string | undefined): ManifestFacts {
  const mediaType = contentType?.split(";")[0]?.trim();
  try {
    const facts = manifestFacts(bytes, mediaType === "" ? undefined : mediaType);
    // it is kept without its header: the bytes alone must say what it is
    if (manifestFacts(bytes).mediaType === facts.mediaType) return facts;
    throw new EngineError(
      "invalid",
      `Cannot read manifest: it was sent as "${mediaType}", its bytes do not say so`,
    );
  } catch (error) {
    if (!EngineError.is(error, "invalid")) throw error;
    throw new Fault("MANIFEST_INVALID", error.message, { cause: error });
  }
}

/** @throws {EngineError} invalid when the bytes are neither a manifest nor an index */
export function manifestFacts(bytes: Uint8Array, mediaType?: string): ManifestFacts {
  const document = decodeManifestDocument(bytes, mediaType);
  const { subject, annotations } = document.kind === "manifest" ? document.manifest : document.index;
  const artifactType = artifactTypeOf(document);
  return {
    ...contentsOf(document),
    ...(subject !== undefined && { subject: subject.digest }),
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations !== undefined && { annotations }),
  };
}

/** Signed manifests of Docker's first schema, which an old folder may still hold: passed on as they are. */
export const SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/** What is in a manifest that some registry has taken at some time; `undefined` when it is of no form that we know. */
export function storedManifestFacts(bytes: Uint8Array): ManifestFacts | undefined {
  try {
    return manifestFacts(bytes);
  } catch (error) {
    if (!EngineError.is(error, "invalid")) throw error;
  }
  try {
    const layers = new Fields(parseJson(new TextDecoder().decode(bytes), "manifest"), "manifest").list(
      "fsLayers",
      (value, path) => parseDigest(new Fields(value, path).string("blobSum") ?? ""),
    );
    const blobs = layers?.map((digest) => ({ digest, size: 0, isElsewhere: false }));
    return blobs && { mediaType: SCHEMA_1, blobs, manifests: [] };
  } catch (error) {
    if (EngineError.is(error, "invalid")) return undefined;
    throw error;
  }
}

function contentsOf(document: ManifestDocument): Pick<ManifestFacts, "mediaType" | "blobs" | "manifests"> {
  if (document.kind === "index") {
    const { mediaType, manifests } = document.index;
    return { mediaType, blobs: [], manifests: manifests.map(({ digest }) => digest) };
  }
  const { mediaType, config, layers } = document.manifest;
  return { mediaType, blobs: [config, ...layers].map(partOf), manifests: [] };
}

function artifactTypeOf(document: ManifestDocument): string | undefined {
  const { artifactType = "" } = document.kind === "manifest" ? document.manifest : document.index;
  if (artifactType !== "") return artifactType;
  return document.kind === "manifest" ? document.manifest.config.mediaType : undefined;
}

function partOf({ digest, size, urls }: Descriptor): Part {
  return { digest, size, isElsewhere: (urls?.length ?? 0) > 0 };
}
