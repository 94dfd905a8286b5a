import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

/** A third of the time that zlib's own choice takes, for a layer that is a seventh larger: programs are 49 % for 43 %. */
const LEVEL = 1;
const OUTPUT_BYTES = 256 * 1024;

/** `source` as gzip, compressed off the main thread. Equal bytes in equal chunks give equal bytes: no time, no name. */
export async function* gzipped(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: LEVEL, chunkSize: OUTPUT_BYTES });
  const feeding = pipeline(Readable.from(source, { objectMode: false }), gzip);
  // its failure is thrown by the reading side below
  feeding.catch(() => undefined);
  const chunks: AsyncIterable<Uint8Array> = gzip;
  try {
    yield* chunks;
    await feeding;
  } finally {
    gzip.destroy();
  }
}
