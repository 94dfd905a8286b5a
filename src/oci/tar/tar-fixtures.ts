import type { TarEntry } from "./tar-entry.ts";
import { readTar, type TarEntryWithBody } from "./tar-reader.ts";

/** A file entry with plain values, changed by `fields`. */
export function sampleEntry(fields: Partial<TarEntry> & { readonly path: string }): TarEntry {
  return { type: "file", mode: 0o644, uid: 0, gid: 0, size: 0, mtimeNs: 0n, xattrs: new Map(), ...fields };
}

/** `bytes` in pieces of `size`. */
export async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.slice(offset, offset + size);
}

export async function gather(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(new Uint8Array(chunk));
  return new Uint8Array(Buffer.concat(chunks));
}

/** Every entry of an archive with its content. */
export async function readAll(
  source: AsyncIterable<Uint8Array>,
): Promise<{ entry: TarEntry; content: Uint8Array }[]> {
  const entries: { entry: TarEntry; content: Uint8Array }[] = [];
  for await (const found of readTar(source)) {
    const content = await gather(found.body);
    entries.push({ entry: withoutBody(found), content });
  }
  return entries;
}

function withoutBody({ body: _body, ...entry }: TarEntryWithBody): TarEntry {
  return entry;
}

/** What `work` was rejected with. @throws when it was not */
export async function failureOf(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("expected a failure");
}
