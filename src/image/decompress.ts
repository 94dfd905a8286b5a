import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { EngineError, errorMessage } from "#base/errors.ts";
import type { Compression } from "#oci/media-types.ts";
import { decodeForeign, type ForeignCompression } from "#store/foreign-compression.ts";

/** Beginnings that tell how bytes are compressed. */
const MAGIC: readonly {
  readonly bytes: readonly number[];
  readonly compression: Compression | ForeignCompression;
}[] = [
  { bytes: [0x1f, 0x8b], compression: "gzip" },
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], compression: "zstd" },
  { bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], compression: "xz" },
  { bytes: [0x42, 0x5a, 0x68], compression: "bzip2" },
];
const LONGEST_MAGIC = 6;

/** How far data may unpack: past `freeBytes` of output, at most `ratio` times the input. */
export interface BombLimits {
  readonly freeBytes: number;
  readonly ratio: number;
}

/** More than honest data comes to. */
const BOMB_LIMITS: BombLimits = { freeBytes: 1024 ** 3, ratio: 500 };

/**
 * How `head`, the first bytes of something that must be a layer, is compressed.
 *
 * @throws {EngineError} unsupported for xz and bzip2, which no layer may be
 */
export function sniffCompression(head: Uint8Array, what: string): Compression {
  const found = compressionOf(head);
  if (!isForeign(found)) return found;
  throw new EngineError("unsupported", `Cannot read ${what}: ${found} compression is not supported`, {
    hint: `decompress it first, or compress it with gzip or zstd`,
  });
}

function compressionOf(head: Uint8Array): Compression | ForeignCompression {
  const found = MAGIC.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte));
  return found?.compression ?? "none";
}

/** Whether a program of the host is needed. */
export function isForeign(compression: Compression | ForeignCompression): compression is ForeignCompression {
  return compression === "xz" || compression === "bzip2";
}

/** A stream whose first bytes have been looked at; `all` still has them. */
export interface Sniffed {
  readonly compression: Compression | ForeignCompression;
  readonly all: AsyncIterable<Uint8Array>;
}

/** Looks at the first bytes of `source`. */
export async function sniff(source: AsyncIterable<Uint8Array>): Promise<Sniffed> {
  const chunks = source[Symbol.asyncIterator]();
  let head = new Uint8Array();
  while (head.length < LONGEST_MAGIC) {
    const next = await chunks.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  return { compression: compressionOf(head), all: startingWith(head, chunks) };
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
 * The plain bytes of `source`, which may be compressed with gzip, zstd, xz or bzip2.
 *
 * @throws {EngineError} unavailable for xz or bzip2 on a host without it; corrupt when it does not decompress; invalid
 * for a bomb
 */
export async function* decompressed(
  source: AsyncIterable<Uint8Array>,
  what: string,
  limits: BombLimits = BOMB_LIMITS,
): AsyncGenerator<Uint8Array> {
  const { compression, all } = await sniff(source);
  if (compression === "none") return yield* all;
  let input = 0;
  let output = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of all) {
      input += chunk.byteLength;
      yield chunk;
    }
  };
  const decoded = isForeign(compression)
    ? decodeForeign(counted(), compression)
    : decode(counted(), compression);
  try {
    for await (const chunk of decoded) {
      output += chunk.byteLength;
      if (output > limits.freeBytes && output > input * limits.ratio) {
        throw new EngineError("invalid", `Cannot read ${what}: ${input} bytes unpack to more than ${output}`);
      }
      yield chunk;
    }
  } catch (error) {
    if (!isForeignError(error, compression) && !isZlibError(error)) throw error;
    throw new EngineError(
      "corrupt",
      `Cannot read ${what}: its ${compression} data is broken (${errorMessage(error)})`,
      {
        cause: error,
      },
    );
  }
}

async function* decode(
  source: AsyncIterable<Uint8Array>,
  compression: "gzip" | "zstd",
): AsyncGenerator<Uint8Array> {
  const unpacker = compression === "gzip" ? createGunzip() : createZstdDecompress();
  const feeding = pipeline(Readable.from(source, { objectMode: false }), unpacker);
  // its failure is thrown by the reading side below
  feeding.catch(() => undefined);
  const chunks: AsyncIterable<Uint8Array> = unpacker;
  try {
    yield* chunks;
    await feeding;
  } finally {
    unpacker.destroy();
  }
}

/** What the host's program said of the data; bombs and failures of the source have words of their own. */
function isForeignError(error: unknown, compression: Compression | ForeignCompression): boolean {
  return isForeign(compression) && EngineError.is(error, "corrupt");
}

function isZlibError(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && /^(Z_|ZSTD|ERR_ZSTD|ERR_ZLIB)/i.test(String(error.code))
  );
}
