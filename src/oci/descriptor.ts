import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { type Digest, parseDigest } from "./digest.ts";
import { decodePlatform, type Platform } from "./platform.ts";

/** A typed, sized pointer to a blob. OCI image-spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly urls?: readonly string[];
  readonly artifactType?: string;
}

/** @throws {EngineError} invalid, naming the field. */
export function decodeDescriptor(value: unknown, path = "descriptor"): Descriptor {
  const fields = new Fields(value, path);
  const size = fields.required("size", fields.integer("size"));
  if (size < 0) throw new EngineError("invalid", `Cannot read ${path}.size: it is negative`);
  const annotations = fields.stringMap("annotations");
  const urls = fields.strings("urls");
  const artifactType = fields.string("artifactType");
  return {
    mediaType: fields.string("mediaType") ?? "",
    digest: parseDigest(fields.required("digest", fields.string("digest"))),
    size,
    ...(fields.has("platform") && { platform: decodePlatform(fields.raw("platform"), `${path}.platform`) }),
    ...(annotations && { annotations: Object.fromEntries(annotations) }),
    ...(urls && { urls }),
    ...(artifactType !== undefined && { artifactType }),
  };
}
