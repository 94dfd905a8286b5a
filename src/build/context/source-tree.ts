import type { Digest } from "#oci/digest.ts";

export type TreeEntryType = "file" | "directory" | "symlink" | "character" | "block" | "fifo" | "socket";

/** A file of a tree that is copied from. */
export interface TreeEntry {
  /** From the root of the tree, without a leading slash; `""` is the root. */
  readonly path: string;
  readonly type: TreeEntryType;
  /** `0o7777`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Where a symlink points. */
  readonly linkName?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** Equal for names of one file. */
  readonly identity?: string;
}

/**
 * A tree that is copied from: the build context, or the files of a stage. Paths are read as a process that lives in the
 * tree would read them; nothing outside is reached. It does not change while it is read.
 */
export interface SourceTree {
  /** What the tree is, for messages: `the build context`. */
  readonly name: string;
  /** Symlinks on the way are followed, the last component only with `follow`. `undefined` when there is no such path. */
  find(path: string, options: { readonly follow: boolean }): TreeEntry | undefined;
  /** Names in a directory, sorted by their bytes. */
  list(directory: TreeEntry): readonly string[];
  read(file: TreeEntry): AsyncIterable<Uint8Array>;
  /** Of a regular file's content. */
  digest(file: TreeEntry): Digest | Promise<Digest>;
}

/** Order of names by their bytes. */
export function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
