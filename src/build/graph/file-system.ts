import type { Descriptor } from "#oci/descriptor.ts";
import { type ChainId, chainIds, type DiffId } from "#oci/digest.ts";

/** A layer: its blob, and the digest of its plain tar. */
export interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId: DiffId;
}

/** A file system as a stack of layers, lowest first; none is the empty one. */
export interface FileSystem {
  readonly layers: readonly Layer[];
}

export const EMPTY_FILE_SYSTEM: FileSystem = { layers: [] };

/** What the snapshot of a file system is called; `undefined` for the empty one. */
export function chainIdOf(fileSystem: FileSystem): ChainId | undefined {
  return chainIds(fileSystem.layers.map(({ diffId }) => diffId)).at(-1);
}
