import { DEFAULT_TAR_LIMITS, type TarEntry, type TarLimits } from "./tar-entry.ts";
import { type TarEvent, TarParser } from "./tar-parser.ts";

/** An entry with its content. What is left unread of `body` is passed over when the next entry is asked for. */
export type TarEntryWithBody = TarEntry & { readonly body: AsyncIterable<Uint8Array> };

/**
 * Reads an uncompressed archive as it streams. Chunks of a body are views that live until the next is asked for: copy
 * what must stay. `source` is read to its end, or closed when the caller leaves early.
 *
 * @throws {EngineError} invalid when the archive is broken or beyond `limits`; unsupported for sparse or vendor entries
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  limits: TarLimits = DEFAULT_TAR_LIMITS,
): AsyncGenerator<TarEntryWithBody, void, undefined> {
  const parser = new TarParser(limits);
  const chunks = source[Symbol.asyncIterator]();
  let body: Body = { isCurrent: false };
  try {
    for (;;) {
      const event = await nextEvent(parser, chunks);
      if (event === undefined) return;
      if (event.kind !== "entry") continue;
      body = { isCurrent: true };
      yield { ...event.entry, body: contentOf(body, parser, chunks) };
      body.isCurrent = false;
    }
  } finally {
    body.isCurrent = false;
    await chunks.return?.();
  }
}

/** Whether the archive still stands at this entry's content. */
interface Body {
  isCurrent: boolean;
}

async function* contentOf(
  body: Body,
  parser: TarParser,
  chunks: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    if (!body.isCurrent) throw new Error("the content of a tar entry was read after the entry was left");
    const event = await nextEvent(parser, chunks);
    if (event?.kind !== "data") return;
    yield event.bytes;
  }
}

/** The next event, reading on as needed; `undefined` at the end of the source. */
async function nextEvent(
  parser: TarParser,
  chunks: AsyncIterator<Uint8Array>,
): Promise<TarEvent | undefined> {
  for (;;) {
    const event = parser.next();
    if (event !== undefined) return event;
    const chunk = await chunks.next();
    if (chunk.done) {
      parser.finish();
      return undefined;
    }
    parser.push(chunk.value);
  }
}
