import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type Digest, digesterFor, digestOf, findDigest } from "#oci/digest.ts";
import { MAX_MANIFEST_BYTES } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { discard, readBounded } from "./bounded-body.ts";
import { describeFailure } from "./failure.ts";
import type { RegistryHost } from "./registry-host.ts";

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  /** Of the bytes. */
  readonly digest: Digest;
  /** What the registry called it; empty when it did not say. */
  readonly mediaType: string;
}

/** A manifest or index to be stored. */
export interface ManifestToPut {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/** Where a manifest is: a repository, and a tag or digest in it. */
export interface ManifestPlace {
  readonly repository: string;
  readonly reference: string;
}

const ACCEPT = [
  MEDIA_TYPE.ociIndex,
  MEDIA_TYPE.ociManifest,
  MEDIA_TYPE.dockerIndex,
  MEDIA_TYPE.dockerManifest,
].join(", ");

/** Fetches a manifest and verifies it, against the digest asked for or else the one that the registry names. */
export async function fetchManifest(
  host: RegistryHost,
  { repository, reference }: ManifestPlace,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  const what = `the manifest ${repository}:${reference}`;
  const headers = { Accept: ACCEPT };
  const path = `${repository}/manifests/${reference}`;
  const response = await host.request({ path, headers, scopes: pullScope(repository) }, signal);
  if (!response.ok) throw await describeFailure(response, `Cannot read ${what}`);
  const bytes = await readBounded(response, MAX_MANIFEST_BYTES, what);
  const promised = findDigest(reference) ?? findDigest(response.headers.get("docker-content-digest") ?? "");
  const digest = promised === undefined ? digestOf(bytes) : digestBy(promised, bytes);
  if (promised !== undefined && digest !== promised) {
    throw new EngineError("corrupt", `Cannot read ${what}: its bytes have digest ${digest}, not ${promised}`);
  }
  return { bytes, digest, mediaType: typeOf(response) };
}

/** What a tag or digest names, without fetching it where the registry says enough; `undefined` when there is none. */
export async function headManifest(
  host: RegistryHost,
  { repository, reference }: ManifestPlace,
  signal: AbortSignal,
): Promise<Pick<Descriptor, "mediaType" | "digest" | "size"> | undefined> {
  const path = `${repository}/manifests/${reference}`;
  const headers = { Accept: ACCEPT };
  const scopes = pullScope(repository);
  const response = await host.request({ method: "HEAD", path, headers, scopes }, signal);
  await discard(response);
  if (response.status === 404) return undefined;
  if (!response.ok) throw await describeFailure(response, `Cannot look for ${repository}:${reference}`);
  const size = Number(response.headers.get("content-length") ?? Number.NaN);
  const digest = findDigest(response.headers.get("docker-content-digest") ?? "") ?? findDigest(reference);
  if (digest !== undefined && Number.isSafeInteger(size))
    return { mediaType: typeOf(response), digest, size };
  const { bytes, mediaType, ...whole } = await fetchManifest(host, { repository, reference }, signal);
  return { mediaType, digest: whole.digest, size: bytes.byteLength };
}

/** Stores a manifest. `listsReferrers`: the registry itself remembers what it refers to. */
export async function storeManifest(
  host: RegistryHost,
  { repository, reference, bytes, mediaType }: ManifestPlace & ManifestToPut,
  signal: AbortSignal,
): Promise<{ readonly digest: Digest; readonly listsReferrers: boolean }> {
  const digest = digestOf(bytes);
  const attempt = `Cannot store the manifest ${repository}:${reference}`;
  const request = {
    method: "PUT",
    path: `${repository}/manifests/${reference}`,
    headers: { "Content-Type": mediaType },
    scopes: pushScope(repository),
    body: () => bytes,
  } as const;
  const response = await host.request(request, signal);
  if (response.status !== 201 && response.status !== 200) throw await describeFailure(response, attempt);
  await discard(response);
  const said = findDigest(response.headers.get("docker-content-digest") ?? "");
  if (said?.startsWith("sha256:") && said !== digest)
    throw new EngineError("corrupt", `${attempt}: ${host.name} has stored ${said}, not ${digest}`);
  return { digest, listsReferrers: response.headers.get("oci-subject") !== null };
}

/** @throws {EngineError} not-found; unsupported where the registry deletes nothing */
export async function deleteManifest(
  host: RegistryHost,
  { repository, reference }: ManifestPlace,
  signal: AbortSignal,
): Promise<void> {
  const scopes = [`repository:${repository}:delete`];
  const path = `${repository}/manifests/${reference}`;
  const response = await host.request({ method: "DELETE", path, scopes }, signal);
  const attempt = `Cannot remove ${repository}:${reference}`;
  if (!response.ok && response.status !== 405) throw await describeFailure(response, attempt);
  await discard(response);
  if (response.status === 405)
    throw new EngineError("unsupported", `${attempt}: ${host.name} deletes no manifests`);
}

export function pullScope(repository: string): string[] {
  return [`repository:${repository}:pull`];
}

export function pushScope(repository: string): string[] {
  return [`repository:${repository}:pull,push`];
}

function typeOf(response: Response): string {
  return (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
}

function digestBy(promised: Digest, bytes: Uint8Array): Digest {
  const digester = digesterFor(promised);
  digester.update(bytes);
  return digester.digest();
}
