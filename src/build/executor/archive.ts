import { posix } from "node:path";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { EngineError } from "#base/errors.ts";
import { decompressed, sniffCompression } from "#image/decompress.ts";
import { pathComponents, quoted } from "#oci/tar/tar-entry.ts";
import { headerChecksum } from "#oci/tar/tar-header.ts";
import { readTar, type TarEntryWithBody } from "#oci/tar/tar-reader.ts";
import type { StepRoot } from "./host.ts";
import { FileWriter, type WriteOptions } from "./file-writer.ts";

const BLOCK_BYTES = 512;
/** Compressed bytes that are looked at to find the first header. */
const HEAD_BYTES = 64 * 1024;

/**
 * True when the bytes are a tar archive, plain or compressed with gzip or zstd. Names do not matter.
 *
 * @throws {EngineError} unsupported for xz and bzip2, which cannot be looked into
 */
export async function isArchive(content: AsyncIterable<Uint8Array>, name: string): Promise<boolean> {
  const head = await firstBytes(content, HEAD_BYTES);
  try {
    const compression = sniffCompression(head, name);
    return isTarHeader(compression === "none" ? head : await inflateHead(head, compression));
  } catch (error) {
    if (!EngineError.is(error, "unsupported")) throw error;
    throw new EngineError("unsupported", `ADD does not unpack ${name}: ${error.message}`, {
      cause: error,
      hint: "unpack it in a RUN step, compress it with gzip or zstd, or copy it as it is with COPY",
    });
  }
}

/** Unpacks an archive into `directory`, in the root. Its own owners and modes are kept unless `options` say others. */
export async function unpackArchive(
  root: StepRoot,
  archive: { readonly content: AsyncIterable<Uint8Array>; readonly name: string; readonly directory: string },
  options: WriteOptions,
): Promise<void> {
  const writer = new FileWriter(root, options);
  writer.ensureDirectory(archive.directory);
  for await (const entry of readTar(decompressed(archive.content, archive.name))) {
    await unpackEntry(entry, { writer, root, directory: archive.directory });
  }
  writer.finish();
}

async function unpackEntry(
  entry: TarEntryWithBody,
  { writer, root, directory }: { writer: FileWriter; root: StepRoot; directory: string },
): Promise<void> {
  const components = pathComponents(entry.path);
  if (components.length === 0) return;
  const path = posix.join(directory, ...components);
  writer.ensureDirectory(posix.dirname(path));
  if (entry.type === "hardlink") {
    const target = posix.join(directory, ...pathComponents(entry.linkName ?? ""));
    if (root.find(target)?.type !== "file") {
      throw new EngineError(
        "invalid",
        `Cannot unpack ${quoted(entry.path)}: it links to ${quoted(target)}, which is no file`,
      );
    }
    return writer.link(target, path);
  }
  const { type, mode, uid, gid, size, mtimeNs, linkName, device, xattrs } = entry;
  await writer.write(path, {
    entry: {
      type,
      mode,
      uid,
      gid,
      size,
      mtimeNs,
      ...(linkName !== undefined && { linkName }),
      ...(device && { device }),
      xattrs: new Map([...xattrs].filter(([name]) => !name.startsWith("trusted."))),
    },
    content: entry.body,
  });
}

async function firstBytes(content: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    chunks.push(chunk.slice());
    size += chunk.byteLength;
    if (size >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit);
}

/** The first block of what `head` unpacks to; shorter when it does not unpack. */
async function inflateHead(head: Uint8Array, compression: "gzip" | "zstd"): Promise<Uint8Array> {
  const unpacker = compression === "gzip" ? createGunzip() : createZstdDecompress();
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  const parts: Buffer[] = [];
  const done = (): void => resolve(Buffer.concat(parts));
  unpacker.on("data", (chunk: Buffer) => {
    parts.push(chunk);
    if (parts.reduce((sum, part) => sum + part.byteLength, 0) >= BLOCK_BYTES) done();
  });
  // a head is cut in the middle: that it does not end well says nothing
  unpacker.on("error", done);
  unpacker.on("end", done);
  unpacker.end(head);
  const found = await promise;
  unpacker.destroy();
  return found;
}

function isTarHeader(bytes: Uint8Array): boolean {
  if (bytes.byteLength < BLOCK_BYTES) return false;
  const block = bytes.subarray(0, BLOCK_BYTES);
  const field = Buffer.from(block.subarray(148, 156))
    .toString("latin1")
    .replace(/[\0 ]+$/, "")
    .trim();
  return /^[0-7]+$/.test(field) && Number.parseInt(field, 8) === headerChecksum(block);
}
