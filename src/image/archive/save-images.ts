import { familiarReference, type NamedReference, parseReference } from "#oci/reference.ts";
import type { Catalog } from "../catalog.ts";
import { isIdOf, isInRepository, isWholeId, namesMeant } from "../identity.ts";
import { emitImageEvent, type ImageParts } from "../parts.ts";
import { blobsOf, type ImageToSave, saveArchive } from "./save.ts";

/**
 * What a name means that is to be saved: itself, a repository without tag all of its tags, an id the image without names.
 *
 * @throws {EngineError} not-found
 */
export function imagesToSave(text: string, catalog: Catalog): ImageToSave[] {
  const tagged = isWholeId(text) ? [] : inRepository(parseReference(text), catalog);
  if (tagged.length > 0) return tagged;
  const image = catalog.get(text);
  if (isIdOf(text, image.id) || isIdOf(text, image.manifestDigest) || isIdOf(text, image.configDigest))
    return [{ image, references: [] }];
  return [{ image, references: namesMeant(parseReference(text), image.references) }];
}

/** Every tag of a name without one. */
function inRepository(name: NamedReference, catalog: Catalog): ImageToSave[] {
  if (name.tag !== undefined || name.digest !== undefined) return [];
  return catalog
    .list()
    .map((image) => ({
      image,
      references: image.references.filter((other) => isInRepository(other, name)),
    }))
    .filter(({ references }) => references.length > 0);
}

/** The archive of some images, whose blobs stay for as long as it is read. */
export async function* saveImages(
  images: readonly ImageToSave[],
  parts: ImageParts,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  using lease = parts.records.leases.open();
  for (const [digest] of images.flatMap(({ image }) => blobsOf(image))) lease.holdBlob(digest);
  for await (const chunk of saveArchive(images, parts.content)) {
    signal.throwIfAborted();
    yield chunk;
  }
  for (const { image, references } of images) {
    const [first] = references;
    const name = first === undefined ? image.id : familiarReference(parseReference(first));
    emitImageEvent(parts.emit, "save", { image, name });
  }
}
