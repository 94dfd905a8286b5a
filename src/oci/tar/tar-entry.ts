import { EngineError } from "#base/errors.ts";

export type TarEntryType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** One member of a tar archive, whatever dialect carried it. OCI image-spec, layer.md#file-attributes. */
export interface TarEntry {
  /**
   * As the archive has it, a directory's last slash dropped; `pathComponents` makes it safe to use. Bytes that are not
   * UTF-8 are kept as `decodeName` of `base/file-name.ts` has them.
   */
  readonly path: string;
  readonly type: TarEntryType;
  /** Permission, set-id and sticky bits (`0o7777`). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for anything but a file. */
  readonly size: number;
  /** Nanoseconds since the epoch, may be negative. */
  readonly mtimeNs: bigint;
  /** Where a symlink points (any text), or the archive path a hard link shares its content with. */
  readonly linkName?: string;
  /** For `character` and `block`. */
  readonly device?: DeviceNumber;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** What an archive may ask of us. Reading stops with a typed error at the first thing beyond a limit. */
export interface TarLimits {
  readonly maxEntries: number;
  /** Of one path or link target, in bytes of UTF-8. */
  readonly maxPathBytes: number;
  /** Path components of one entry. */
  readonly maxDepth: number;
  /** Of one extended header or GNU long name, and of all global headers together. */
  readonly maxPaxBytes: number;
}

/** `maxPathBytes` is the kernel's PATH_MAX; `maxPaxBytes` is what Go's archive/tar allows. */
export const DEFAULT_TAR_LIMITS: TarLimits = {
  maxEntries: 2_000_000,
  maxPathBytes: 4095,
  maxDepth: 512,
  maxPaxBytes: 1024 * 1024,
};

export const BLOCK_BYTES = 512;

/** Content is padded to whole blocks. */
export function paddingAfter(size: number): number {
  const over = size % BLOCK_BYTES;
  return over === 0 ? 0 : BLOCK_BYTES - over;
}

/**
 * The names a path goes through, from the archive's root: leading slashes, `.` and empty components mean nothing; the
 * root itself is `[]`. A `..` is refused wherever it stands, as GNU tar does: no honest archive has one.
 *
 * @throws {EngineError} invalid when the path climbs
 */
export function pathComponents(path: string): string[] {
  const components = path.split("/").filter((component) => component !== "" && component !== ".");
  if (components.includes("..")) {
    throw new EngineError("invalid", `Cannot use tar entry ${quoted(path)}: its path contains ".."`);
  }
  return components;
}

/** Text from an archive made fit for a message: bounded, control characters escaped. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
