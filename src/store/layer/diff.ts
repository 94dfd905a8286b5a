import { openRoot } from "#linux/in-root.ts";
import type { RootDirectory } from "#linux/root-directory.ts";
import { type DiffId, Digester, parseDiffId } from "#oci/digest.ts";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { type TarSink, TarWriter } from "#oci/tar/tar-writer.ts";
import { OPAQUE_WHITEOUT, whiteoutName } from "#oci/tar/whiteout.ts";
import { isOpaque, isWhiteout } from "./overlay-form.ts";
import { contentOf, entryOf, type TreeFile, walkTree } from "./tree-entries.ts";

export interface WriteLayerOptions {
  /** A layer in overlay form: the upper directory of a snapshot. */
  readonly upper: string;
  /** Takes the uncompressed tar. */
  readonly sink: TarSink;
  /** Later times are written as this one (SOURCE_DATE_EPOCH). */
  readonly maxMtimeNs?: bigint;
  /** Files of the directory that the layer does not get. */
  readonly leavesOut?: (root: RootDirectory, file: TreeFile) => boolean;
}

export interface WrittenLayer {
  readonly diffId: DiffId;
  /** What its files take on disk, as `du` counts. */
  readonly sizeBytes: number;
  /** Entries written, the root's included. */
  readonly entries: number;
}

/** As `struct stat` counts blocks, whatever the file system's own. */
const STAT_BLOCK_BYTES = 512;

const NANOSECONDS = 1_000_000_000n;

/**
 * Writes a layer as OCI has it: whiteouts as `.wh.` files, names in a fixed order, overlayfs's private attributes left
 * out. Equal trees give equal bytes. Times are cut to whole seconds, as Docker's layers have them.
 */
export async function writeLayer(options: WriteLayerOptions, signal: AbortSignal): Promise<WrittenLayer> {
  const { upper, sink, maxMtimeNs, leavesOut } = options;
  using root = openRoot(upper);
  const digester = new Digester();
  const writer = new TarWriter({
    write: (chunk) => {
      digester.update(chunk);
      return sink.write(chunk);
    },
  });
  let sizeBytes = 0;
  let entries = 0;
  const add = async (entry: TarEntry, body?: Iterable<Uint8Array>): Promise<void> => {
    await writer.add({ ...entry, mtimeNs: layerTime(entry.mtimeNs, maxMtimeNs) }, body);
    entries++;
  };
  const links = new Map<string, string>();
  for (const file of walkTree(root)) {
    signal.throwIfAborted();
    if (leavesOut?.(root, file)) continue;
    const entry = layerEntry(root, file, links);
    if (entry === undefined) continue;
    if (entry.type !== "hardlink") sizeBytes += file.stat.blocks * STAT_BLOCK_BYTES;
    await add(entry, entry.size > 0 ? contentOf(root, file.path, entry.size) : undefined);
    if (entry.type === "directory" && isOpaque(root, file.path)) {
      await add(whiteoutEntry(joined(file.path, OPAQUE_WHITEOUT)));
    }
  }
  await writer.finish();
  return { diffId: parseDiffId(digester.digest()), sizeBytes, entries };
}

/** The entry of a file in overlay form; the second and further names of one file become hard links. */
function layerEntry(root: RootDirectory, file: TreeFile, links: Map<string, string>): TarEntry | undefined {
  const { path, stat } = file;
  if (isWhiteout(stat)) {
    const slash = path.lastIndexOf("/");
    return whiteoutEntry(joined(path.slice(0, Math.max(slash, 0)), whiteoutName(path.slice(slash + 1))));
  }
  const entry = entryOf(root, file);
  if (entry === undefined || stat.type === "directory" || stat.links < 2) return entry;
  const identity = `${stat.device.major}:${stat.device.minor}:${stat.inode}`;
  const first = links.get(identity);
  if (first === undefined) {
    links.set(identity, path);
    return entry;
  }
  const { device: _device, ...rest } = entry;
  return { ...rest, type: "hardlink", linkName: first, size: 0, xattrs: new Map() };
}

function whiteoutEntry(path: string): TarEntry {
  return { path, type: "file", mode: 0, uid: 0, gid: 0, size: 0, mtimeNs: 0n, xattrs: new Map() };
}

function layerTime(mtimeNs: bigint, maxMtimeNs: bigint | undefined): bigint {
  const time = maxMtimeNs !== undefined && mtimeNs > maxMtimeNs ? maxMtimeNs : mtimeNs;
  const rest = time % NANOSECONDS;
  return time - (rest < 0n ? rest + NANOSECONDS : rest);
}

function joined(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
