import { EngineError } from "#base/errors.ts";
import { type ChainId, chainIds, type Digest } from "#oci/digest.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { decodeImageConfig, MAX_CONFIG_BYTES } from "#oci/image-config.ts";
import { decodeManifestDocument, type Manifest, MAX_MANIFEST_BYTES } from "#oci/manifest.ts";
import { isIndex, isManifest } from "#oci/media-types.ts";
import type { Snapshot } from "../snapshot/snapshotter.ts";
import type { Leases } from "./leases.ts";
import type { References } from "./references.ts";

/** The blobs, as far as collection needs them. */
export interface CollectedContent {
  find(digest: Digest): Promise<{ readonly size: number } | undefined>;
  readBytes(digest: Digest, maxBytes: number): Promise<Uint8Array>;
  list(): AsyncIterable<{ readonly digest: Digest; readonly size: number; readonly modifiedAt: number }>;
  remove(digest: Digest): Promise<void>;
}

/** The snapshots, as far as collection needs them. */
export interface CollectedSnapshots {
  list(): Snapshot[];
  remove(chainId: ChainId): Promise<void>;
}

export interface GarbageOptions {
  readonly database: { readonly references: References; readonly leases: Leases };
  readonly content: CollectedContent;
  readonly snapshots: CollectedSnapshots;
  /** What other rooms use: images of containers, snapshots of containers and of the build cache. */
  readonly roots: { readonly digests: Iterable<Digest>; readonly chainIds: Iterable<ChainId> };
}

export interface Collected {
  readonly digests: Digest[];
  readonly chainIds: ChainId[];
  readonly reclaimedBytes: number;
}

/**
 * Removes every blob and committed snapshot that nothing reaches. Roots are the targets of references, what leases hold,
 * and `roots`; from a manifest its config and layers are reached, from an index its manifests, from a config the chain of
 * its layers' snapshots, from a snapshot its parents. Blobs written while the oldest living lease has been open stay.
 */
export async function collectGarbage(options: GarbageOptions, signal: AbortSignal): Promise<Collected> {
  const { content, snapshots, database } = options;
  // Asked first: what is made from here on is newer than any of this.
  const held = database.leases.held();
  const startedAt = Date.now();
  const targets = database.references.all().map(({ target }) => target);
  const reached = new Reach(content);
  for (const target of targets) await reached.descriptor(target);
  for (const digest of [...held.digests, ...options.roots.digests]) await reached.unknown(digest);
  const chains = [...reached.chainIds, ...held.chainIds, ...options.roots.chainIds];
  signal.throwIfAborted();
  const removedChains = await removeSnapshots(snapshots, new Set(chains), held.since);
  const digests: Digest[] = [];
  let reclaimedBytes = 0;
  for await (const { digest, size, modifiedAt } of content.list()) {
    signal.throwIfAborted();
    const isNew = modifiedAt >= Math.min(held.since ?? startedAt, startedAt);
    if (isNew || reached.digests.has(digest)) continue;
    await content.remove(digest);
    digests.push(digest);
    reclaimedBytes += size;
  }
  for (const { sizeBytes } of removedChains) reclaimedBytes += sizeBytes;
  return { digests, chainIds: removedChains.map(({ chainId }) => chainId), reclaimedBytes };
}

/** What is reached so far. Blobs that are not here (other platforms of an index) are reached all the same. */
class Reach {
  readonly digests = new Set<Digest>();
  readonly chainIds = new Set<ChainId>();
  readonly #content: CollectedContent;

  constructor(content: CollectedContent) {
    this.#content = content;
  }

  async descriptor({ digest, mediaType }: Descriptor): Promise<void> {
    if (!isIndex(mediaType) && !isManifest(mediaType)) this.digests.add(digest);
    else await this.#document(digest, mediaType);
  }

  /** A blob of which only the digest is known: what does not read as manifest or index leads no further. */
  async unknown(digest: Digest): Promise<void> {
    const found = await this.#content.find(digest);
    if (found === undefined || found.size > MAX_MANIFEST_BYTES) this.digests.add(digest);
    else await this.#document(digest, undefined);
  }

  async #document(digest: Digest, mediaType: string | undefined): Promise<void> {
    if (this.digests.has(digest)) return;
    this.digests.add(digest);
    if ((await this.#content.find(digest)) === undefined) return;
    const bytes = await this.#content.readBytes(digest, MAX_MANIFEST_BYTES);
    const document = parseDocument(bytes, mediaType);
    if (document?.kind === "index") {
      for (const manifest of document.index.manifests) await this.descriptor(manifest);
    } else if (document?.kind === "manifest") await this.#manifest(document.manifest);
  }

  async #manifest({ config, layers }: Manifest): Promise<void> {
    for (const { digest } of [config, ...layers]) this.digests.add(digest);
    if ((await this.#content.find(config.digest)) === undefined) return;
    const bytes = await this.#content.readBytes(config.digest, MAX_CONFIG_BYTES);
    for (const chainId of chainIds(diffIdsOf(bytes))) this.chainIds.add(chainId);
  }
}

function parseDocument(
  bytes: Uint8Array,
  mediaType: string | undefined,
): ReturnType<typeof decodeManifestDocument> | undefined {
  try {
    return decodeManifestDocument(bytes, mediaType);
  } catch (error) {
    if (EngineError.is(error, "invalid")) return undefined;
    throw error;
  }
}

/** Artifacts have configs of their own kinds, which name no layers of ours. */
function diffIdsOf(config: Uint8Array): ReturnType<typeof decodeImageConfig>["diffIds"] {
  try {
    return decodeImageConfig(config).diffIds;
  } catch (error) {
    if (EngineError.is(error, "invalid")) return [];
    throw error;
  }
}

/** Children before parents; those that others stand on are kept, with all below them. */
async function removeSnapshots(
  snapshots: CollectedSnapshots,
  roots: ReadonlySet<ChainId>,
  since: number | undefined,
): Promise<Snapshot[]> {
  const all = snapshots.list();
  const byChain = new Map(all.map((snapshot) => [snapshot.chainId, snapshot]));
  const kept = new Set<ChainId>();
  const isRoot = ({ chainId, createdAt }: Snapshot): boolean =>
    roots.has(chainId) || (since !== undefined && createdAt >= since);
  for (const root of all.filter(isRoot)) {
    for (let at: Snapshot | undefined = root; at !== undefined && !kept.has(at.chainId); ) {
      kept.add(at.chainId);
      at = at.parent === undefined ? undefined : byChain.get(at.parent);
    }
  }
  const removed: Snapshot[] = [];
  let waiting = all.filter(({ chainId }) => !kept.has(chainId));
  for (;;) {
    const parents = new Set(waiting.map(({ parent }) => parent));
    const leaves = waiting.filter(({ chainId }) => !parents.has(chainId));
    if (leaves.length === 0) return removed;
    for (const leaf of leaves) if (await isRemoved(snapshots, leaf)) removed.push(leaf);
    waiting = waiting.filter((snapshot) => !leaves.includes(snapshot));
  }
}

async function isRemoved(snapshots: CollectedSnapshots, { chainId }: Snapshot): Promise<boolean> {
  try {
    await snapshots.remove(chainId);
    return true;
  } catch (error) {
    if (EngineError.is(error, "conflict")) return false;
    throw error;
  }
}
