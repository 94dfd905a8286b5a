import type { Digest } from "#oci/digest.ts";

/** The registry that a cache stands before; everything it gives has been verified, blobs apart. */
export interface Upstream {
  /** @throws {EngineError} not-found, unavailable, unauthorized, corrupt */
  manifest(repository: string, reference: string, signal: AbortSignal): Promise<UpstreamManifest>;
  /** What a tag names now, without fetching it. */
  findManifest(
    repository: string,
    reference: string,
    signal: AbortSignal,
  ): Promise<{ readonly digest: Digest } | undefined>;
  findBlob(
    repository: string,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<{ readonly size: number } | undefined>;
  /** The bytes of a blob from `offset` on. @throws {EngineError} unavailable when they end too early: ask again from there */
  blob(
    repository: string,
    blob: { readonly digest: Digest; readonly size: number },
    offset: number,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
}

export interface UpstreamManifest {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** What the registry called it; empty when it did not say. */
  readonly mediaType: string;
}
