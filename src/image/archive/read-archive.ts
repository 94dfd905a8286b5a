import { posix } from "node:path";
import { EngineError } from "#base/errors.ts";
import { type Digest, findDigest } from "#oci/digest.ts";
import { MAX_CONFIG_BYTES } from "#oci/image-config.ts";
import { DEFAULT_TAR_LIMITS, pathComponents, quoted, type TarEntry } from "#oci/tar/tar-entry.ts";
import { readTar } from "#oci/tar/tar-reader.ts";
import { decompressed } from "../decompress.ts";
import type { Content, StoredBlob } from "../stores.ts";

/*
 * What an image archive may hold. Names are keys of a map and nothing else; no path on disk is made from them.
 *
 *   oci-layout, index.json, blobs/sha256/<hex>     OCI image layout; Docker writes it since 25
 *   manifest.json                                  [{"Config": path, "RepoTags": [..], "Layers": [path, ..]}]
 *   <any path>                                     config or layer, named by manifest.json; a layer may be a symlink
 *   repositories, <id>/{VERSION,json,layer.tar}    Docker before 1.10; read only through manifest.json
 */

/** What was found in an archive; every file but the documents is a blob of the content store by now. */
export interface ArchiveContents {
  /** `manifest.json`, `index.json`, `oci-layout`, `repositories`, as far as they are there. */
  readonly documents: ReadonlyMap<string, Uint8Array>;
  /** The blob at a path of the archive, links followed. */
  find(path: string): StoredBlob | undefined;
}

const DOCUMENTS = new Set(["manifest.json", "index.json", "oci-layout", "repositories"]);
const LIMITS = { ...DEFAULT_TAR_LIMITS, maxEntries: 100_000 };
const MAX_LINKS = 16;

/**
 * Reads an archive as it streams, storing each of its files as a blob while it passes: memory does not grow with it.
 *
 * @throws {EngineError} invalid or corrupt when it is broken; the blobs stored so far are left to garbage collection
 */
export async function readArchive(
  source: AsyncIterable<Uint8Array>,
  { content, onBlob }: { readonly content: Content; readonly onBlob: (blob: StoredBlob) => void },
  signal: AbortSignal,
): Promise<ArchiveContents> {
  const documents = new Map<string, Uint8Array>();
  const blobs = new Map<string, StoredBlob>();
  const links = new Map<string, string>();
  for await (const entry of readTar(decompressed(source, "the archive"), LIMITS)) {
    signal.throwIfAborted();
    const path = pathComponents(entry.path).join("/");
    if (entry.type === "symlink") links.set(path, posix.join(posix.dirname(path), entry.linkName ?? ""));
    else if (entry.type === "hardlink") links.set(path, posix.normalize(entry.linkName ?? ""));
    else if (entry.type !== "file") continue;
    else if (DOCUMENTS.has(path)) documents.set(path, await readDocument(entry));
    else {
      const blob = await content.write(entry.body, expectedOf(path, entry), signal);
      blobs.set(path, blob);
      onBlob(blob);
    }
  }
  return { documents, find: (path) => follow(path, blobs, links) };
}

function follow(
  path: string,
  blobs: ReadonlyMap<string, StoredBlob>,
  links: ReadonlyMap<string, string>,
): StoredBlob | undefined {
  let at = posix.normalize(path);
  for (let hop = 0; hop < MAX_LINKS; hop++) {
    const blob = blobs.get(at);
    if (blob) return blob;
    const next = links.get(at);
    if (next === undefined) return undefined;
    at = next;
  }
  return undefined;
}

/** The name of a blob says what it must hash to. */
function expectedOf(path: string, { size }: TarEntry): { digest?: Digest; size: number } {
  const match = /^blobs\/([a-z0-9]+)\/([0-9a-f]+)$/.exec(path);
  const digest = match ? findDigest(`${match[1]}:${match[2]}`) : undefined;
  return digest === undefined ? { size } : { digest, size };
}

async function readDocument(
  entry: TarEntry & { readonly body: AsyncIterable<Uint8Array> },
): Promise<Uint8Array> {
  if (entry.size > MAX_CONFIG_BYTES) {
    throw new EngineError(
      "invalid",
      `Cannot read ${quoted(entry.path)}: ${entry.size} bytes are more than ${MAX_CONFIG_BYTES}`,
    );
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry.body) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}
