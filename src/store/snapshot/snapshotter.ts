import type { ChainId, DiffId } from "#oci/digest.ts";

/** A committed snapshot: a layer on top of its parents, never changed again. */
export interface Snapshot {
  readonly chainId: ChainId;
  readonly parent?: ChainId;
  readonly diffId: DiffId;
  /** Of this layer alone. */
  readonly sizeBytes: number;
  /** When it was committed, epoch milliseconds. */
  readonly createdAt: number;
}

export interface CommitFacts {
  readonly chainId: ChainId;
  readonly diffId: DiffId;
  readonly sizeBytes: number;
}

/** A layer being unpacked, which has no parent until it is committed. Disposing it uncommitted removes it. */
export interface LayerDraft extends AsyncDisposable {
  /** An empty directory to unpack into. */
  readonly path: string;
  /**
   * Makes it the snapshot `chainId`. When another has done so meanwhile that is success, and this one is dropped.
   *
   * @throws {EngineError} not-found when the parent is not there; invalid when the layer does not fit on it
   */
  commit(facts: CommitFacts & { readonly parent: ChainId | undefined }): Promise<void>;
}

export interface Usage {
  /** Space on disk, a file with several names counted once. */
  readonly sizeBytes: number;
  readonly inodes: number;
}

/**
 * Trees of files that share what they have in common: committed ones by chain ID, and active ones, by a key of the
 * caller's, that are writable until they are committed or removed. `snapshotterSuite` is its contract in tests.
 */
export interface Snapshotter {
  find(chainId: ChainId): Snapshot | undefined;
  list(): Snapshot[];
  draft(): Promise<LayerDraft>;
  /** A writable snapshot on top of `parent` (`undefined`: empty). @throws {EngineError} not-found, conflict */
  prepare(key: string, parent: ChainId | undefined): Promise<void>;
  /** Shows an active snapshot, writable, at `target`, which is made if need be. The caller unmounts. */
  mount(key: string, target: string): void;
  /** Shows a committed snapshot read-only at `target`. The caller unmounts. */
  mountView(chainId: ChainId, target: string): void;
  /** Where the changes of an active snapshot lie, in overlay form. */
  upperPath(key: string): string;
  /** Active becomes committed; it must not be mounted. When `chainId` is there already, the active one is dropped. */
  commit(key: string, facts: CommitFacts): Promise<void>;
  /** Success when it is gone already. Its files are deleted later. */
  removeActive(key: string): Promise<void>;
  /** Success when it is gone already. @throws {EngineError} conflict while others stand on it */
  remove(chainId: ChainId): Promise<void>;
  usage(key: string): Promise<Usage>;
  /** Keys of active snapshots. */
  actives(): string[];
  /** At start: drops active snapshots but those in `keep`, drafts, and whatever has no record or has lost its files. */
  recover(keep: ReadonlySet<string>): Promise<void>;
}
