import { filtered } from "#linux/filter.ts";

/** Compressions that no library of ours reads: programs of the host do, which know how much memory they may take. */
export type ForeignCompression = "xz" | "bzip2";

const COMMANDS: Readonly<Record<ForeignCompression, readonly string[]>> = {
  xz: ["xz", "--decompress", "--stdout", "--memlimit-decompress=256MiB"],
  bzip2: ["bzip2", "--decompress", "--stdout"],
};

/**
 * The plain bytes of `source`.
 *
 * @throws {EngineError} unavailable when the host has not the program; corrupt when it cannot read the bytes
 */
export function decodeForeign(
  source: AsyncIterable<Uint8Array>,
  compression: ForeignCompression,
): AsyncGenerator<Uint8Array> {
  return filtered(source, COMMANDS[compression]);
}
