import { EngineError } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import type { Digest } from "#oci/digest.ts";
import {
  canonicalReference,
  familiarReference,
  formatReference,
  type NamedReference,
  parseReference,
  type Reference,
  withDefaultTag,
} from "#oci/reference.ts";

/** What an image can be found by. */
export interface Identified {
  readonly id: Digest;
  readonly references: readonly Reference[];
  /** Of the manifests inside its index. */
  readonly manifestDigests: readonly Digest[];
  readonly configDigests: readonly Digest[];
  readonly taggedAt: number;
}

/** Where an image was found: by a name, or by one of its digests. */
export interface Found<T> {
  readonly image: T;
  readonly by: "reference" | "id" | "manifest" | "config";
  /** The digest in full that the given text names or begins. */
  readonly digest: Digest;
}

/** Four characters at least, as Docker wants of a short id. [moby daemon/containerd/image.go] */
const ID_PREFIX = /^(?:sha256:)?([0-9a-f]{4,64})$/;

/**
 * The image that `text` names: an id or the beginning of one (an image's own before those of its manifests, those
 * before its configs'), a reference with its default tag, or `name@digest` of that very repository. A name wins over an
 * id that begins with the same letters.
 *
 * @throws {EngineError} invalid for text that is no name, and for an id prefix that several images share
 */
export function findImage<T extends Identified>(text: string, images: readonly T[]): Found<T> | undefined {
  const prefix = ID_PREFIX.exec(text)?.[1];
  if (prefix !== undefined && isWholeId(text)) return findById(text, prefix, images);
  const byName = findByName(parseReference(text), images);
  if (byName || prefix === undefined) return byName;
  return findById(text, prefix, images);
}

/** `No such image: debian:latest`, Docker's words; clients look for them. */
export function noSuchImage(text: string): EngineError {
  const shown = isWholeId(text) ? text : familiarReference(withDefaultTag(parseReference(text)));
  return new EngineError("not-found", `No such image: ${shown}`);
}

/** True when `text` was meant as an id of the image, not as one of its names. */
export function isIdOf(text: string, id: Digest): boolean {
  const prefix = ID_PREFIX.exec(text)?.[1];
  return prefix !== undefined && id.startsWith(`sha256:${prefix}`);
}

/** True for text that can be nothing but an id: 64 hex characters, or hex after `sha256:`. */
export function isWholeId(text: string): boolean {
  const prefix = ID_PREFIX.exec(text)?.[1];
  return prefix !== undefined && (text.startsWith("sha256:") || prefix.length === 64);
}

/** The names that `name` means: one tag, or for `name@digest` every name in that repository. */
export function namesMeant(name: NamedReference, references: readonly Reference[]): Reference[] {
  const { tag } = withDefaultTag(name);
  return references.filter(
    (reference) =>
      isInRepository(reference, name) && (name.digest !== undefined || parseReference(reference).tag === tag),
  );
}

function findByName<T extends Identified>(name: NamedReference, images: readonly T[]): Found<T> | undefined {
  const wanted = formatReference(name);
  const exact = images.find((image) => image.references.includes(wanted));
  if (exact) return { image: exact, by: "reference", digest: exact.id };
  const { digest } = name;
  if (digest === undefined) return undefined;
  const image = images.find(
    ({ id, references }) => id === digest && references.some((reference) => isInRepository(reference, name)),
  );
  return image && { image, by: "reference", digest };
}

/** True when `reference` names something in the repository of `name`. */
export function isInRepository(reference: Reference, name: NamedReference): boolean {
  const other = parseReference(reference);
  return other.domain === name.domain && other.path === name.path;
}

function findById<T extends Identified>(
  text: string,
  prefix: string,
  images: readonly T[],
): Found<T> | undefined {
  const classes = [
    { by: "id", digestsOf: (image: T) => [image.id] },
    { by: "manifest", digestsOf: (image: T) => image.manifestDigests },
    { by: "config", digestsOf: (image: T) => image.configDigests },
  ] as const;
  for (const { by, digestsOf } of classes) {
    const hits = images.flatMap((image) =>
      digestsOf(image)
        .filter((digest) => digest.startsWith(`sha256:${prefix}`))
        .map((digest) => ({ image, by, digest })),
    );
    const digests = new Set(hits.map((hit) => hit.digest));
    if (digests.size > 1) throw ambiguous(text, [...digests]);
    // several images may share a manifest or a config: they run alike, the newest stands for them
    const [newest] = hits.toSorted((a, b) => b.image.taggedAt - a.image.taggedAt);
    if (newest) return newest;
  }
  return undefined;
}

function ambiguous(text: string, digests: readonly Digest[]): EngineError {
  const shown = digests.slice(0, 3).map(shortId).join(", ");
  return new EngineError(
    "invalid",
    `Cannot resolve image "${text}": the prefix is ambiguous, ${digests.length} ids begin with it (${shown})`,
    { hint: "give more characters of the id" },
  );
}

/** True for an image that nobody has named: no tag, and no digest but those that it was pushed under. */
export function isUnnamed({ id, references }: Pick<Identified, "id" | "references">): boolean {
  return references.map(parseReference).every(({ digest }) => digest !== undefined && digest !== id);
}

/** Under what a dangling image is kept; no name that people can write gives it, for it has no domain. */
export function danglingReference(id: Digest): Reference {
  // made from a digest that was parsed, and read back only by `isDangling`
  return `${DANGLING}${id}` as Reference;
}

export function isDangling(reference: Reference): boolean {
  return reference.startsWith(DANGLING);
}

const DANGLING = "dangling@";

/**
 * The reference that `tag` may set.
 *
 * @throws {EngineError} invalid, in Docker's words, for a digest and for a name that reads as one
 */
export function taggableReference(text: string): Reference {
  const name = parseReference(text);
  if (name.digest !== undefined)
    throw new EngineError("invalid", "refusing to create a tag with a digest reference");
  if (familiarReference({ domain: name.domain, path: name.path }) === "sha256") {
    throw new EngineError("invalid", "refusing to create an ambiguous tag using digest algorithm as name");
  }
  return canonicalReference(text);
}
