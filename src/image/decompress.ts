import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { EngineError, errorMessage } from "#base/errors.ts";
import type { Compression } from "#oci/media-types.ts";

/** Beginnings that tell how bytes are compressed; the ones without a name here are refused by name. */
const MAGIC: readonly {
  readonly bytes: readonly number[];
  readonly compression?: Compression;
  readonly name: string;
}[] = [
  { bytes: [0x1f, 0x8b], compression: "gzip", name: "gzip" },
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], compression: "zstd", name: "zstd" },
  { bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], name: "xz" },
  { bytes: [0x42, 0x5a, 0x68], name: "bzip2" },
];
const LONGEST_MAGIC = 6;

/** How far data may unpack: past `freeBytes` of output, at most `ratio` times the input. */
export interface BombLimits {
  readonly freeBytes: number;
  readonly ratio: number;
}

/** More than honest data comes to. */
const BOMB_LIMITS: BombLimits = { freeBytes: 1024 ** 3, ratio: 500 };

/** How `head`, the first bytes of something, is compressed. @throws {EngineError} unsupported for xz and bzip2 */
export function sniffCompression(head: Uint8Array, what: string): Compression {
  const found = MAGIC.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte));
  if (!found) return "none";
  if (found.compression) return found.compression;
  throw new EngineError("unsupported", `Cannot read ${what}: ${found.name} compression is not supported`, {
    hint: `decompress it first, or compress it with gzip or zstd`,
  });
}

/** A stream whose first bytes have been looked at; `all` still has them. */
export interface Sniffed {
  readonly compression: Compression;
  readonly all: AsyncIterable<Uint8Array>;
}

/** Looks at the first bytes of `source`. @throws {EngineError} unsupported for xz and bzip2 */
export async function sniff(source: AsyncIterable<Uint8Array>, what: string): Promise<Sniffed> {
  const chunks = source[Symbol.asyncIterator]();
  let head = new Uint8Array();
  while (head.length < LONGEST_MAGIC) {
    const next = await chunks.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  const compression = sniffCompression(head, what);
  return { compression, all: startingWith(head, chunks) };
}

async function* startingWith(head: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (head.length > 0) yield head;
    for (;;) {
      const next = await rest.next();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await rest.return?.();
  }
}

/**
 * The plain bytes of `source`, which may be compressed with gzip or zstd.
 *
 * @throws {EngineError} unsupported for xz and bzip2; corrupt when it does not decompress; invalid for a bomb
 */
export async function* decompressed(
  source: AsyncIterable<Uint8Array>,
  what: string,
  limits: BombLimits = BOMB_LIMITS,
): AsyncGenerator<Uint8Array> {
  const { compression, all } = await sniff(source, what);
  if (compression === "none") return yield* all;
  let input = 0;
  let output = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of all) {
      input += chunk.byteLength;
      yield chunk;
    }
  };
  const unpacker = compression === "gzip" ? createGunzip() : createZstdDecompress();
  const feeding = pipeline(Readable.from(counted(), { objectMode: false }), unpacker);
  // its failure is thrown by the reading side below
  feeding.catch(() => undefined);
  const chunks: AsyncIterable<Uint8Array> = unpacker;
  try {
    for await (const chunk of chunks) {
      output += chunk.byteLength;
      if (output > limits.freeBytes && output > input * limits.ratio) {
        throw new EngineError("invalid", `Cannot read ${what}: ${input} bytes unpack to more than ${output}`);
      }
      yield chunk;
    }
    await feeding;
  } catch (error) {
    if (EngineError.is(error) || !isZlibError(error)) throw error;
    throw new EngineError(
      "corrupt",
      `Cannot read ${what}: its ${compression} data is broken (${errorMessage(error)})`,
      {
        cause: error,
      },
    );
  } finally {
    unpacker.destroy();
  }
}

function isZlibError(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && /^(Z_|ZSTD|ERR_ZSTD|ERR_ZLIB)/i.test(String(error.code))
  );
}
