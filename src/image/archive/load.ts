import { EngineError, errorMessage } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import { formatPlatform, hostPlatform, type Platform } from "#oci/platform.ts";
import { familiarReference, parseReference, type Reference } from "#oci/reference.ts";
import type { Image, ImageContent, Progress } from "../image.ts";
import { emitImageEvent, type ImageParts } from "../parts.ts";
import { readImage, variantFor } from "../read-image.ts";
import type { Lease, StoredBlob } from "../stores.ts";
import { type ArchivedImage, archivedImages } from "./archived-images.ts";
import { readArchive } from "./read-archive.ts";
import { blobsOf } from "./save.ts";

export interface LoadOptions {
  readonly progress: Progress;
  /** Each image of the archive must have all of these. */
  readonly platforms?: readonly Platform[];
}

/** Files below this size are configs and manifests: no line is written for them. */
const SHOWN_BYTES = 64 * 1024;

/**
 * Loads every image of an archive: all of its blobs are stored and the layers for this machine unpacked before the first
 * name is set, so that a broken archive changes nothing.
 *
 * @throws {EngineError} invalid, corrupt or unsupported, saying what is wrong with the archive
 */
export async function loadImages(
  source: AsyncIterable<Uint8Array>,
  { parts, progress, platforms = [] }: LoadOptions & { readonly parts: ImageParts },
  signal: AbortSignal,
): Promise<Image[]> {
  using lease = parts.records.leases.open();
  try {
    const onBlob = (blob: StoredBlob): void => {
      lease.holdBlob(blob.digest);
      if (blob.size >= SHOWN_BYTES) progress(layerLine(blob));
    };
    const archive = await readArchive(source, { content: parts.content, onBlob }, signal);
    const images = await archivedImages(archive, parts.content);
    const contents: [ArchivedImage, ImageContent][] = [];
    for (const image of images) {
      const content = await prepare(image, { parts, lease }, signal);
      checkPlatforms(content, platforms);
      contents.push([image, content]);
    }
    return contents.flatMap(([{ references }, content]) => publish(content, references, { parts, progress }));
  } catch (error) {
    lease[Symbol.dispose]();
    await parts.tidy();
    throw explained(error);
  }
}

function checkPlatforms({ target, variants }: ImageContent, platforms: readonly Platform[]): void {
  const missing = platforms.find((platform) => !variantFor(variants, platform));
  if (!missing) return;
  throw new EngineError(
    "not-found",
    `image ${target.digest} does not provide the specified platform (${formatPlatform(missing)})`,
  );
}

function layerLine(blob: StoredBlob): Parameters<Progress>[0] {
  const bytes = { current: blob.size, total: blob.size };
  return { kind: "status", status: "Loading layer", id: shortId(blob.digest), bytes };
}

async function prepare(
  { target }: ArchivedImage,
  { parts, lease }: { readonly parts: ImageParts; readonly lease: Lease },
  signal: AbortSignal,
): Promise<ImageContent> {
  lease.holdBlob(target.digest);
  const content = await readImage(parts.content, target);
  for (const [digest] of blobsOf(content)) lease.holdBlob(digest);
  const ours = variantFor(content.variants, hostPlatform());
  if (ours) await parts.unpacker.unpack(ours, { lease }, signal);
  return content;
}

function publish(
  content: ImageContent,
  references: readonly Reference[],
  { parts, progress }: { readonly parts: ImageParts; readonly progress: Progress },
): Image[] {
  if (references.length === 0) {
    const image = parts.catalog.set(undefined, content);
    emitImageEvent(parts.emit, "load", { image, name: image.id });
    progress({ kind: "stream", text: `Loaded image ID: ${image.id}\n` });
    return [image];
  }
  return references.map((reference) => {
    const image = parts.catalog.set(reference, content);
    const name = familiarReference(parseReference(reference));
    emitImageEvent(parts.emit, "load", { image, name });
    progress({ kind: "stream", text: `Loaded image: ${name}\n` });
    return image;
  });
}

function explained(error: unknown): unknown {
  if (!EngineError.is(error)) return error;
  return new EngineError(error.kind, `Cannot load the archive: ${errorMessage(error)}`, {
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
