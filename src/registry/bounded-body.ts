import { EngineError } from "#base/errors.ts";

/** A registry that sends nothing for this long has gone. */
const STALL_MS = 60_000;
/** A document of a few megabytes that takes longer never comes. */
const DOCUMENT_MS = 300_000;

/**
 * The chunks of a response's body, as they come. A silence longer than `stallMs` ends it with an error.
 *
 * @throws {EngineError} unavailable when the body stalls, or the connection breaks
 */
export async function* bodyChunks(response: Response, stallMs = STALL_MS): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const read = await withDeadline(reader.read(), stallMs).catch(cutOff);
      if (read.done) return;
      yield read.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/**
 * All of a small body.
 *
 * @throws {EngineError} invalid, naming `what`, when it is longer than `maxBytes`; unavailable when it drips
 */
export async function readBounded(response: Response, maxBytes: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const deadline = performance.now() + DOCUMENT_MS;
  let size = 0;
  for await (const chunk of bodyChunks(response)) {
    size += chunk.byteLength;
    if (size > maxBytes)
      throw new EngineError("invalid", `Cannot read ${what}: more than ${maxBytes} bytes were sent`);
    if (performance.now() > deadline)
      throw new EngineError(
        "unavailable",
        `Cannot read ${what}: it takes more than ${DOCUMENT_MS / 1000} seconds`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A connection that broke has a code; the reason of an abort is the caller's own. */
function cutOff(error: unknown): never {
  if (EngineError.is(error) || !(error instanceof Error) || !("code" in error) || error.name === "AbortError")
    throw error;
  throw new EngineError("unavailable", `the connection was cut (${String(error.code)})`, { cause: error });
}

/** Drops a body nobody wants, so that its connection is free again. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

async function withDeadline<T>(work: Promise<T>, stallMs: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new EngineError("unavailable", `no byte came for ${stallMs / 1000} seconds`)),
    stallMs,
  );
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
