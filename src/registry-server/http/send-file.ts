import type { FileHandle } from "node:fs/promises";
import { EngineError } from "#base/errors.ts";
import type { ByteRange } from "./range.ts";

const CHUNK_BYTES = 1024 * 1024;

/** Writes a part of a file in large chunks, through one buffer. @throws {EngineError} corrupt when the file is shorter */
export async function sendFile(
  file: FileHandle,
  { start, end }: ByteRange,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - start + 1));
  for (let position = start; position <= end; ) {
    const wanted = Math.min(buffer.byteLength, end - position + 1);
    const { bytesRead } = await file.read(buffer, 0, wanted, position);
    if (bytesRead === 0)
      throw new EngineError("corrupt", `Cannot send a blob: its file ends at byte ${position}`);
    position += bytesRead;
    await write(buffer.subarray(0, bytesRead));
  }
}
