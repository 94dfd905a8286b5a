import type { ChainId, DiffId, Digest } from "#oci/digest.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Compression } from "#oci/media-types.ts";
import type { Reference } from "#oci/reference.ts";

/** Blobs by digest, as far as images need them; `store/content/` is the real one. */
export interface Content {
  /** Where the blob lies, for a process that reads it. */
  path(digest: Digest): string;
  find(digest: Digest): Promise<{ readonly size: number } | undefined>;
  /** @throws {EngineError} not-found, or corrupt when the bytes are not what the digest says */
  readBytes(digest: Digest, maxBytes: number): Promise<Uint8Array>;
  /** The bytes of a blob, from `start` on. */
  read(digest: Digest, start?: number): AsyncIterable<Uint8Array>;
  write(
    source: AsyncIterable<Uint8Array>,
    expected: { readonly digest?: Digest; readonly size?: number },
    signal: AbortSignal,
  ): Promise<StoredBlob>;
  writeBytes(bytes: Uint8Array): Promise<StoredBlob>;
  resume(expected: StoredBlob): Promise<Ingest>;
  /** Success when it is gone already. */
  remove(digest: Digest): Promise<void>;
}

export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
}

/** A blob being fetched. Disposing without `commit` keeps the part for the next attempt. */
export interface Ingest extends AsyncDisposable {
  /** Bytes that are there already. */
  readonly offset: number;
  append(chunk: Uint8Array): Promise<void>;
  /** @throws {EngineError} corrupt when the bytes are not what was expected; the part is dropped then */
  commit(): Promise<void>;
}

/** Unpacked layers by chain ID; `store/snapshot/` is the real one. */
export interface LayerSnapshots {
  find(chainId: ChainId): { readonly sizeBytes: number } | undefined;
  draft(): Promise<LayerDraft>;
}

/** An empty folder to unpack into. Disposing without `commit` removes it. */
export interface LayerDraft extends AsyncDisposable {
  readonly path: string;
  commit(layer: {
    readonly chainId: ChainId;
    readonly parent: ChainId | undefined;
    readonly diffId: DiffId;
    readonly sizeBytes: number;
  }): Promise<void>;
}

/** Unpacks one layer blob into an empty folder; `sizeBytes` is what it takes there. As many run at once as is good. */
export type ApplyLayer = (
  layer: { readonly blob: string; readonly compression: Compression; readonly target: string },
  signal: AbortSignal,
) => Promise<{ readonly diffId: DiffId; readonly sizeBytes: number }>;

/** What each reference points at, durable. */
export interface ReferenceTable {
  all(): readonly {
    readonly reference: Reference;
    readonly target: Descriptor;
    readonly createdAt: number;
  }[];
  set(reference: Reference, target: Descriptor, createdAt: number): void;
  remove(reference: Reference): void;
}

/** Keeps work that has no name yet from garbage collection: all that is made while it is open, and what it holds. */
export interface Lease extends Disposable {
  holdBlob(digest: Digest): void;
  holdSnapshot(chainId: ChainId): void;
}

/** Records of one kind, by id; what comes back is decoded by who asks. */
export interface DocumentTable {
  all(): readonly { readonly id: string }[];
  find(id: string): unknown;
  put(id: string, value: unknown): void;
  remove(id: string): void;
}

/** The records of the engine, as far as images need them; `store/metadata/` is the real one. */
export interface Records {
  readonly references: ReferenceTable;
  readonly leases: { open(): Lease; held(): { readonly digests: readonly Digest[] } };
  documents(collection: string): DocumentTable;
  transaction<T>(work: () => T): T;
}
