import { EngineError, errorMessage } from "#base/errors.ts";

/** From request to response headers. */
const HEADERS_MS = 30_000;

/**
 * Something at an address of the web; without a scheme it is plain HTTP, as Docker reads it. Nothing of ours is sent
 * along: no credentials, no cookies.
 *
 * @throws {EngineError} invalid for text that is no such address; unavailable when nobody answers, or not with the thing
 */
export async function openDownload(
  address: string,
  signal: AbortSignal,
): Promise<{ readonly url: URL; readonly chunks: AsyncIterable<Uint8Array> }> {
  const url = URL.parse(address.includes("://") ? address : `http://${address}`);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new EngineError("invalid", `Cannot download "${address}": it is no address of the web`);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), HEADERS_MS);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, late.signal]) });
    if (!response.ok || response.body === null)
      throw new EngineError("unavailable", `Cannot download ${url.href}: the answer is ${response.status}`);
    return { url, chunks: response.body };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof EngineError) throw error;
    const why = late.signal.aborted ? `no answer within ${HEADERS_MS / 1000} seconds` : errorMessage(error);
    throw new EngineError("unavailable", `Cannot download ${url.href}: ${why}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
