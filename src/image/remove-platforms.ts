import { EngineError } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import type { Digest } from "#oci/digest.ts";
import { formatPlatform, type Platform } from "#oci/platform.ts";
import { blobsOf } from "./archive/save.ts";
import type { Image, ImageUser, ImageVariant, PresentVariant } from "./image.ts";
import type { ImageParts } from "./parts.ts";
import { variantFor } from "./read-image.ts";

/**
 * The entries of an image that are for `platforms`, and what states something about them. Pure.
 *
 * @throws {EngineError} not-found when the image has nothing for one of them; conflict when a container uses it
 */
export function planPlatformRemoval(
  image: Image,
  platforms: readonly Platform[],
  { users, force }: { readonly users: readonly ImageUser[]; readonly force: boolean },
): { readonly removed: readonly PresentVariant[]; readonly kept: readonly ImageVariant[] } {
  const removed = new Set(platforms.map((platform) => found(image, platform)));
  const isUsed = [...removed].some(({ descriptor }) => descriptor.digest === image.manifestDigest);
  const user = users.find(({ isRunning }) => isRunning) ?? (force ? undefined : users[0]);
  if (isUsed && user) {
    const mood = user.isRunning ? "running" : "stopped";
    const forced = user.isRunning ? "cannot be forced" : "must be forced";
    throw new EngineError(
      "conflict",
      `conflict: unable to delete ${shortId(image.id)} (${forced}) - image is being used by ${mood} container ${shortId(user.containerId)}`,
    );
  }
  const digests = new Set([...removed].map(({ descriptor }) => descriptor.digest));
  const isAbout = ({ descriptor }: ImageVariant): boolean =>
    [...digests].some((digest) => descriptor.annotations?.["vnd.docker.reference.digest"] === digest);
  const kept = image.variants.filter(
    (variant) => !digests.has(variant.descriptor.digest) && !isAbout(variant),
  );
  return { removed: [...removed], kept };
}

/** Removes the blobs of `image` that nothing `kept` of it needs, and no other image and no work under way either. */
export async function removeBlobs(
  image: Image,
  kept: readonly ImageVariant[],
  { catalog, content, records, tidy }: ImageParts,
): Promise<void> {
  const others = catalog.list().filter(({ id }) => id !== image.id);
  const held = new Set(records.leases.held().digests);
  for (const digest of blobsOnlyOf(image, kept, others)) {
    if (!held.has(digest)) await content.remove(digest);
  }
  await catalog.refresh(image.id);
  await tidy();
}

/** Blobs of `image` that neither what is `kept` of it nor another image needs. */
function blobsOnlyOf(image: Image, kept: readonly ImageVariant[], others: readonly Image[]): Digest[] {
  const needed = new Set([...others, { target: image.target, variants: kept }].flatMap(blobsOf).map(first));
  return blobsOf(image)
    .map(first)
    .filter((digest) => !needed.has(digest));
}

function first([digest]: readonly [Digest, number]): Digest {
  return digest;
}

function found(image: Image, platform: Platform): PresentVariant {
  const variant = variantFor(image.variants, platform);
  if (variant) return variant;
  throw new EngineError(
    "not-found",
    `Cannot remove ${formatPlatform(platform)} of image ${shortId(image.id)}: it is not here`,
  );
}
