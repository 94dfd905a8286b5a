import { createReadStream } from "node:fs";

export const NO_SIGNAL = new AbortController().signal;

export async function* readFileStream(path: string): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(path)) yield Uint8Array.from(chunk);
}

export async function* stream(bytes: Uint8Array, chunkBytes = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

export async function gather(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}
