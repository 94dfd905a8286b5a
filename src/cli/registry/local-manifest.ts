import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { type Digest, digestOf, parseDigest } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";

/** What a list says of one of its images. The key order is that of the documents it is written into. */
export interface ListPlatform {
  readonly architecture: string;
  readonly os: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
  readonly variant?: string;
}

/** The manifest of one image, on its way into a list. */
export interface LocalManifest {
  /** Where it was found: `docker.io/library/debian:12`. */
  readonly reference: string;
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform: ListPlatform;
  /** As the registry has it, to the byte. */
  readonly raw: Uint8Array;
}

/**
 * The form in Docker's own store of lists (`~/.docker/manifests`), which both command lines read and `manifest inspect
 * --verbose` prints (docker/cli `cli/manifest/types`).
 */
export function encodeLocal(manifest: LocalManifest): object {
  const { reference, mediaType, digest, size, platform, raw } = manifest;
  const key = mediaType === MEDIA_TYPE.dockerManifest ? "SchemaV2Manifest" : "OCIManifest";
  return {
    Ref: reference,
    Descriptor: { mediaType, digest, size, platform },
    Raw: Buffer.from(raw).toString("base64"),
    [key]: JSON.parse(Buffer.from(raw).toString()) as unknown,
  };
}

/** @throws {EngineError} invalid when it is not such a document, corrupt when its digest is not that of its bytes */
export function decodeLocal(value: unknown, what: string): LocalManifest {
  const fields = new Fields(value, what);
  const descriptor = fields.object("Descriptor");
  const raw = Buffer.from(fields.string("Raw") ?? "", "base64");
  if (raw.length === 0) {
    throw new EngineError(
      "invalid",
      `Cannot read ${what}: it was written by an old program, without its bytes`,
      {
        hint: "Remove the list by darse manifest rm, and create it anew",
      },
    );
  }
  const digest = parseDigest(descriptor.string("digest") ?? "");
  if (digestOf(raw) !== digest) {
    throw new EngineError(
      "corrupt",
      `Cannot read ${what}: its bytes have digest ${digestOf(raw)}, not ${digest}`,
    );
  }
  return {
    reference: fields.string("Ref") ?? "",
    mediaType: descriptor.string("mediaType") ?? "",
    digest,
    size: raw.length,
    platform: decodeListPlatform(descriptor.object("platform")),
    raw,
  };
}

export function decodeListPlatform(fields: Fields): ListPlatform {
  return listPlatform({
    architecture: fields.string("architecture") ?? "",
    os: fields.string("os") ?? "",
    version: fields.string("os.version"),
    features: fields.strings("os.features"),
    variant: fields.string("variant"),
  });
}

/** In the order in which the documents have it, without what is empty. */
export function listPlatform(parts: {
  readonly architecture: string;
  readonly os: string;
  readonly version: string | undefined;
  readonly features: readonly string[] | undefined;
  readonly variant: string | undefined;
}): ListPlatform {
  const { architecture, os, version, features, variant } = parts;
  return {
    architecture,
    os,
    ...(version && { "os.version": version }),
    ...(features && features.length > 0 && { "os.features": features }),
    ...(variant && { variant }),
  };
}
