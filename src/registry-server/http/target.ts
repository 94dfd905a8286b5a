import { type Digest, findDigest } from "#oci/digest.ts";
import { Fault } from "../fault.ts";
import {
  findRepositoryName,
  findTag,
  findUploadId,
  type RepositoryName,
  type Tag,
  type UploadId,
} from "../names.ts";

/** What names a manifest in its repository. */
export type ManifestKey =
  | { readonly by: "tag"; readonly tag: Tag }
  | { readonly by: "digest"; readonly digest: Digest };

/** What a request is about. */
export type Target =
  | { readonly kind: "root" | "health" | "metrics" | "base" | "catalog" }
  | { readonly kind: "tags"; readonly repository: RepositoryName }
  | { readonly kind: "manifest"; readonly repository: RepositoryName; readonly key: ManifestKey }
  | { readonly kind: "blob"; readonly repository: RepositoryName; readonly digest: Digest }
  | { readonly kind: "uploads"; readonly repository: RepositoryName }
  | { readonly kind: "upload"; readonly repository: RepositoryName; readonly id: UploadId }
  | { readonly kind: "referrers"; readonly repository: RepositoryName; readonly digest: Digest };

const FIXED: ReadonlyMap<string, Target> = new Map<string, Target>([
  ["/", { kind: "root" }],
  ["/healthz", { kind: "health" }],
  ["/metrics", { kind: "metrics" }],
  ["/v2", { kind: "base" }],
  ["/v2/", { kind: "base" }],
  ["/v2/_catalog", { kind: "catalog" }],
]);

/**
 * Reads the path of a request (percent-encoded, without its query). Everything in it that becomes a path on disk is
 * checked against its grammar here. OCI distribution-spec, "Endpoints".
 *
 * @returns `undefined` for a path that no registry has
 * @throws {Fault} NAME_INVALID, DIGEST_INVALID, BLOB_UPLOAD_INVALID, MANIFEST_UNKNOWN
 */
export function parseTarget(encoded: string): Target | undefined {
  const path = decodePath(encoded);
  const fixed = path === undefined ? undefined : FIXED.get(path);
  if (path === undefined || fixed !== undefined) return fixed;
  const tags = /^\/v2\/(.+)\/tags\/list$/.exec(path);
  if (tags) return { kind: "tags", repository: repository(tags[1]) };
  const upload = /^\/v2\/(.+)\/blobs\/uploads(?:\/([^/]*))?$/.exec(path);
  if (upload) return uploadTarget(repository(upload[1]), upload[2] ?? "");
  const [, name, kind, last = ""] = /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/.exec(path) ?? [];
  if (kind === undefined) return undefined;
  if (kind === "manifests") return { kind: "manifest", repository: repository(name), key: manifestKey(last) };
  return {
    kind: kind === "blobs" ? "blob" : "referrers",
    repository: repository(name),
    digest: digest(last),
  };
}

/** A tag or a digest. @throws {Fault} */
export function manifestKey(text: string): ManifestKey {
  if (text.includes(":")) return { by: "digest", digest: digest(text) };
  const tag = findTag(text);
  if (tag === undefined)
    throw new Fault("MANIFEST_UNKNOWN", `"${text.slice(0, 200)}" is neither a tag nor a digest`);
  return { by: "tag", tag };
}

/** @throws {Fault} DIGEST_INVALID */
export function digest(text: string): Digest {
  const found = findDigest(text);
  if (found === undefined)
    throw new Fault("DIGEST_INVALID", `"${text.slice(0, 200)}" is no digest that this registry knows`);
  return found;
}

function uploadTarget(name: RepositoryName, id: string): Target {
  if (id === "") return { kind: "uploads", repository: name };
  const found = findUploadId(id);
  if (found === undefined) throw new Fault("BLOB_UPLOAD_UNKNOWN", `there is no upload "${id.slice(0, 200)}"`);
  return { kind: "upload", repository: name, id: found };
}

function repository(text = ""): RepositoryName {
  const name = findRepositoryName(text);
  if (name === undefined) throw new Fault("NAME_INVALID", `"${text.slice(0, 300)}" is no repository name`);
  return name;
}

function decodePath(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
