import { EngineError } from "#base/errors.ts";
import { type ChainId, chainIds, type Digest } from "#oci/digest.ts";
import type { Images } from "./neighbours.ts";
import type { ContainerRecord } from "./record.ts";
import type { World } from "./world.ts";

/** What a container takes up on disk. */
export interface ContainerSizes {
  /** Its own layer. */
  readonly writableBytes: number;
  /** Its own layer and all below it. */
  readonly rootBytes: number;
}

export async function sizesOf(
  { snapshots }: Pick<World, "snapshots">,
  { id, parent }: ContainerRecord,
): Promise<ContainerSizes> {
  const { sizeBytes: writableBytes } = await snapshots.usage(id);
  let rootBytes = writableBytes;
  for (let chainId = parent; chainId !== undefined; ) {
    const snapshot = snapshots.find(chainId);
    rootBytes += snapshot?.sizeBytes ?? 0;
    chainId = snapshot?.parent;
  }
  return { writableBytes, rootBytes };
}

/** The images a container needs: the one it was made from, and those it mounts. */
export function imagesOf({ imageId, mounts }: ContainerRecord): Digest[] {
  // The name of such a mount was set to an image's id when it was resolved.
  return [imageId, ...mounts.flatMap(({ type, name }) => (type === "image" && name ? [name as Digest] : []))];
}

/** The snapshots it needs, likewise. */
export function snapshotsOf({ parent, mounts }: ContainerRecord): ChainId[] {
  // Written by us, from a chain ID.
  const mounted = mounts.flatMap(({ chainId }) => (chainId === undefined ? [] : [chainId as ChainId]));
  return parent === undefined ? mounted : [parent, ...mounted];
}

/** Made from the image, or from one whose layers begin with all of the image's. */
export function descendsFrom(
  { images, snapshots }: Pick<World, "images" | "snapshots">,
  record: ContainerRecord,
  reference: string,
): boolean {
  const image = imageNamed(images, reference);
  if (image === undefined) return record.config.image === reference;
  if (image.id === record.imageId) return true;
  const top = chainIds(image.config.diffIds).at(-1);
  for (let chainId = record.parent; top !== undefined && chainId !== undefined; ) {
    if (chainId === top) return true;
    chainId = snapshots.find(chainId)?.parent;
  }
  return false;
}

/** What the name means now; a text that can mean no image means none. */
export function imageNamed(images: Images, name: string): ReturnType<Images["find"]> {
  try {
    return images.find(name);
  } catch (error) {
    if (EngineError.is(error, "invalid")) return undefined;
    throw error;
  }
}
