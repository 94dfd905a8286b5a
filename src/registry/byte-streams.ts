import { type Digest, Digester } from "#oci/digest.ts";

/** Reads all of it for its digest and size. */
export async function measure(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const digester = new Digester();
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    digester.update(chunk);
  }
  return { size: digester.size, digest: digester.digest() };
}

/** The same bytes, hashed as they pass. */
export async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  digester: Digester,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    digester.update(chunk);
    yield chunk;
  }
}

/** All but the first `skipped` bytes. */
export async function* after(chunks: AsyncIterable<Uint8Array>, skipped: number): AsyncGenerator<Uint8Array> {
  let position = 0;
  for await (const chunk of chunks) {
    const start = Math.max(0, skipped - position);
    position += chunk.byteLength;
    if (start < chunk.byteLength) yield chunk.subarray(start);
  }
}

/** The first `length` bytes. */
export async function* firstOf(
  chunks: AsyncIterable<Uint8Array>,
  length: number,
): AsyncGenerator<Uint8Array> {
  let left = length;
  for await (const chunk of chunks) {
    yield chunk.subarray(0, left);
    left -= Math.min(left, chunk.byteLength);
    if (left === 0) return;
  }
}
