import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { type Descriptor, decodeDescriptor } from "#oci/descriptor.ts";
import type { Digest } from "#oci/digest.ts";
import { decodeManifestDocument, encodeDocument } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { checkCount, pages } from "./listing.ts";
import { fetchManifest, type ManifestToPut, pullScope, storeManifest } from "./manifests.ts";
import type { RegistryHost } from "./registry-host.ts";

/** A manifest that others refer to. */
export interface Subject {
  readonly repository: string;
  readonly subject: Digest;
}

/** What a manifest says it refers to, and as what it does. OCI image-spec, manifest.md#subject. */
export interface Reference {
  readonly subject: Digest;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** The reference that a manifest makes, `undefined` when it makes none. */
export function referenceOf(bytes: Uint8Array): Reference | undefined {
  const fields = new Fields(parseJson(new TextDecoder().decode(bytes), "manifest"), "manifest");
  if (!fields.has("subject")) return undefined;
  const { digest } = decodeDescriptor(fields.raw("subject"), "manifest.subject");
  const annotations = fields.stringMap("annotations");
  return {
    subject: digest,
    artifactType: fields.string("artifactType") ?? fields.object("config").string("mediaType"),
    annotations: annotations && Object.fromEntries(annotations),
  };
}

/** The tag that lists what refers to `subject` where a registry has no list of its own. OCI distribution-spec, "Referrers Tag Schema". */
export function referrersTag(subject: Digest): string {
  return subject.replace(":", "-").slice(0, 128);
}

/** The entries of such a list. @throws {EngineError} invalid when it is no index */
export function decodeReferrers(bytes: Uint8Array): readonly Descriptor[] {
  const document = decodeManifestDocument(bytes);
  if (document.kind === "index") return document.index.manifests;
  throw new EngineError("invalid", "Cannot read the referrers: they are no index");
}

/** The list with one more entry; an entry that is there already stays once. */
export function withReferrer(entries: readonly Descriptor[], added: Descriptor): Uint8Array {
  const others = entries.filter(({ digest }) => digest !== added.digest);
  return encodeDocument({ mediaType: MEDIA_TYPE.ociIndex, manifests: [...others, added] });
}

/** What refers to a manifest. OCI distribution-spec, "Listing Referrers"; by its tag where the registry has no such list. */
export async function fetchReferrers(
  host: RegistryHost,
  { repository, subject, artifactType }: Subject & { readonly artifactType?: string | undefined },
  signal: AbortSignal,
): Promise<Descriptor[]> {
  const list = {
    path: `${repository}/referrers/${subject}`,
    query: artifactType === undefined ? {} : { artifactType },
    scopes: pullScope(repository),
    what: `the referrers of ${subject}`,
  };
  // a registry may leave the choice to its clients
  const isWanted = (entry: Descriptor): boolean =>
    artifactType === undefined || entry.artifactType === artifactType;
  try {
    const found: Descriptor[] = [];
    for await (const fields of pages(host, list, signal)) {
      found.push(...(fields.list("manifests", decodeDescriptor) ?? []));
      checkCount(found.length, list.what);
    }
    return found.filter(isWanted);
  } catch (error) {
    if (!EngineError.is(error, "not-found")) throw error;
    return (await taggedReferrers(host, { repository, subject }, signal)).filter(isWanted);
  }
}

/** Makes a stored manifest to be found from its subject, if it has one, in a registry that keeps no such list. */
export async function tagReferrer(
  host: RegistryHost,
  manifest: ManifestToPut & { readonly repository: string; readonly digest: Digest },
  signal: AbortSignal,
): Promise<void> {
  const { repository, bytes, mediaType, digest } = manifest;
  const reference = referenceOf(bytes);
  if (!reference) return;
  const { subject, artifactType, annotations } = reference;
  const known = await taggedReferrers(host, { repository, subject }, signal);
  const list = withReferrer(known, {
    mediaType,
    digest,
    size: bytes.byteLength,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations && { annotations }),
  });
  const index = { repository, reference: referrersTag(subject), bytes: list, mediaType: MEDIA_TYPE.ociIndex };
  await storeManifest(host, index, signal);
}

async function taggedReferrers(
  host: RegistryHost,
  { repository, subject }: Subject,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  try {
    const list = await fetchManifest(host, { repository, reference: referrersTag(subject) }, signal);
    return decodeReferrers(list.bytes);
  } catch (error) {
    if (EngineError.is(error, "not-found")) return [];
    throw error;
  }
}
