import { closeSync, createReadStream, openSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { EngineError } from "#base/errors.ts";
import { readFd } from "#linux/file-descriptor.ts";
import type { RootDirectory } from "#linux/root-directory.ts";
import { type DiffId, Digester, parseDiffId } from "#oci/digest.ts";
import type { Compression } from "#oci/media-types.ts";
import { DEFAULT_TAR_LIMITS, type TarLimits } from "#oci/tar/tar-entry.ts";
import { TarParser } from "#oci/tar/tar-parser.ts";
import { LayerTree } from "./layer-tree.ts";
import type { Pending } from "./pending.ts";

/** What a layer may unfold into. */
export interface UnpackLimits extends TarLimits {
  /** Uncompressed bytes for each compressed one, looked at beyond `ratioFromBytes`. */
  readonly maxRatio: number;
  readonly ratioFromBytes: number;
}

export const DEFAULT_UNPACK_LIMITS: UnpackLimits = {
  ...DEFAULT_TAR_LIMITS,
  maxRatio: 200,
  ratioFromBytes: 8 * 1024 ** 3,
};

export interface Unpacked {
  readonly diffId: DiffId;
  /** What it takes on disk, as `du` counts. */
  readonly sizeBytes: number;
  readonly pending: Pending;
}

const READ_BYTES = 1024 * 1024;
const DECODED_BYTES = 512 * 1024;

/**
 * Unpacks a layer's blob into `root` in overlay form, hashing the uncompressed bytes on the way. `isWanted` is asked now
 * and then, and the work stops when it says no.
 *
 * @throws {EngineError} invalid for a broken or hostile archive, unavailable when the disk is full
 */
export async function unpack(
  root: RootDirectory,
  layer: { readonly blob: string; readonly compression: Compression },
  options: { limits?: UnpackLimits; isWanted?: () => boolean } = {},
): Promise<Unpacked> {
  const { limits = DEFAULT_UNPACK_LIMITS, isWanted = () => true } = options;
  const blobSize = (await stat(layer.blob)).size;
  const digester = new Digester();
  const parser = new TarParser(limits);
  const tree = new LayerTree(root, limits.maxEntries);
  try {
    const chunks =
      layer.compression === "none" ? plain(layer.blob) : decompressed(layer.blob, layer.compression);
    for await (const chunk of chunks) {
      if (!isWanted()) throw new EngineError("cancelled", "Cannot finish unpacking: nobody waits for it");
      digester.update(chunk);
      checkRatio(digester.size, blobSize, limits);
      parser.push(chunk);
      drain(parser, tree);
    }
    parser.finish();
    return { diffId: parseDiffId(digester.digest()), sizeBytes: tree.sizeBytes, pending: tree.finish() };
  } finally {
    tree.close();
  }
}

function drain(parser: TarParser, tree: LayerTree): void {
  for (let event = parser.next(); event !== undefined; event = parser.next()) {
    switch (event.kind) {
      case "entry":
        tree.begin(event.entry);
        break;
      case "data":
        tree.write(event.bytes);
        break;
      case "entry-end":
        tree.end();
        break;
    }
  }
}

/** The file through one buffer: each chunk is used up before the next is asked for. */
function* plain(path: string): Generator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(READ_BYTES);
  const fd = openSync(path, "r");
  try {
    for (let length = readFd(fd, buffer); length > 0; length = readFd(fd, buffer)) {
      yield buffer.subarray(0, length);
    }
  } finally {
    closeSync(fd);
  }
}

/** Decoded on other threads, while the one before is written to disk. */
async function* decompressed(
  path: string,
  compression: "gzip" | "zstd",
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = createReadStream(path, { highWaterMark: READ_BYTES });
  const decoder =
    compression === "gzip"
      ? createGunzip({ chunkSize: DECODED_BYTES })
      : createZstdDecompress({ chunkSize: DECODED_BYTES });
  source.once("error", (error) => decoder.destroy(error));
  source.pipe(decoder);
  try {
    yield* decoder;
  } catch (error) {
    if (!isDecoderError(error)) throw error;
    throw new EngineError("invalid", `Cannot unpack the layer: its ${compression} stream is broken`, {
      cause: error,
    });
  } finally {
    source.destroy();
    decoder.destroy();
  }
}

function isDecoderError(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(Z_|ZSTD_|ERR_)/.test(String(error.code));
}

function checkRatio(size: number, blobSize: number, limits: UnpackLimits): void {
  if (size <= limits.ratioFromBytes || size <= blobSize * limits.maxRatio) return;
  throw new EngineError(
    "invalid",
    `Cannot unpack the layer: ${blobSize} compressed bytes unfold into more than ${size}`,
  );
}
