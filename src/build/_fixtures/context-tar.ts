import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { type TarBody, writeTar } from "#oci/tar/tar-writer.ts";

/** A file of a context: text, or an entry of the tar. */
export type ContextFile = string | Uint8Array | (Partial<TarEntry> & { readonly body?: string | Uint8Array });

export type ContextFiles = Readonly<Record<string, ContextFile>>;

/** The tar of some files, in the order given. */
export function contextTar(files: ContextFiles): AsyncIterable<Uint8Array> {
  return writeTar(Object.entries(files).map(([path, file]) => tarEntry(path, file)));
}

function tarEntry(path: string, file: ContextFile): [TarEntry, TarBody?] {
  const isPlain = typeof file === "string" || file instanceof Uint8Array;
  const body = isPlain ? file : (file.body ?? "");
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const entry: TarEntry = {
    path,
    type: "file",
    mode: 0o644,
    uid: 1000,
    gid: 1000,
    mtimeNs: 1_000_000_000_000_000_000n,
    xattrs: new Map(),
    size: bytes.byteLength,
    ...(isPlain ? {} : withoutBody(file)),
  };
  return entry.type === "file" ? [entry, [bytes]] : [{ ...entry, size: 0 }];
}

function withoutBody({
  body: _body,
  ...entry
}: Partial<TarEntry> & { readonly body?: unknown }): Partial<TarEntry> {
  return entry;
}
