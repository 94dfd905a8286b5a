import { availableParallelism } from "node:os";
import { type Clock, systemClock } from "#base/clock.ts";
import type { Emit } from "#base/event.ts";
import { EngineError } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import type { ChainId, Digest } from "#oci/digest.ts";
import type { Platform } from "#oci/platform.ts";
import { familiarReference, parseReference, type Reference } from "#oci/reference.ts";
import type { Credentials } from "#registry/authorizer.ts";
import { RegistryClient } from "#registry/registry-client.ts";
import { loadImages, type LoadOptions } from "./archive/load.ts";
import { onlyPlatforms } from "./archive/save.ts";
import { imagesToSave, saveImages } from "./archive/save-images.ts";
import { Catalog } from "./catalog.ts";
import { type NewImage, writeImage } from "./create.ts";
import type { ImageRegistry } from "./download.ts";
import { type HistoryStep, historyOf } from "./history.ts";
import { taggableReference } from "./identity.ts";
import type { Image, ImageUser, Progress, RemovedItem, UsersOf } from "./image.ts";
import { type ApplyChanges, importImage, type ImportOptions } from "./import.ts";
import { emitImageEvent, type ImageParts } from "./parts.ts";
import { type PruneOptions, pruneImages, type PruneResult } from "./prune.ts";
import { Puller, type PullOptions } from "./pull.ts";
import type { PushRegistry } from "./push-blob.ts";
import { Pusher, type PushOptions } from "./push.ts";
import { planPlatformRemoval, removeBlobs } from "./remove-platforms.ts";
import { planRemoval } from "./remove.ts";
import { type Attestation, attestationsOf, type AttestationQuery } from "./attestations.ts";
import type { ApplyLayer, Content, LayerSnapshots, Records } from "./stores.ts";
import { Unpacker } from "./unpack.ts";
import { type ImageUsage, type SizeOf, unpackedBytes, usageOf } from "./usage.ts";

export interface ImageStoreOptions {
  readonly content: Content;
  readonly snapshots: LayerSnapshots;
  readonly applyLayer: ApplyLayer;
  readonly records: Records;
  readonly emit: Emit;
  readonly log: Logger;
  /** Applies Dockerfile instructions for `import --change`; the builder knows them. */
  readonly applyChanges: ApplyChanges;
  /** Removes from disk what neither reference, lease, container nor build cache names. */
  readonly collectGarbage: () => Promise<{ readonly reclaimedBytes: number }>;
  readonly clock?: Clock;
  /** The distribution client when not given. */
  readonly openRegistry?: (
    domain: string,
    credentials: Credentials | undefined,
  ) => ImageRegistry & PushRegistry;
  /** Before the second attempt at a blob. */
  readonly retryDelayMs?: number;
}

export interface RemoveOptions {
  readonly force: boolean;
  /** The containers made from the image. */
  readonly users: readonly ImageUser[];
}

/**
 * Images, as people know them: names that point at manifests and indexes in the content store. Start here: `Catalog`
 * knows every image, `Unpacker` makes snapshots of one, `archive/` reads and writes files of them, `Puller` fetches
 * them. All of them follow one rule: content is stored under a lease first, the reference is set last, and what no
 * reference reaches is garbage.
 */
export class ImageStore {
  readonly #options: ImageStoreOptions;
  readonly #parts: ImageParts;
  readonly #puller: Puller;
  readonly #pusher: Pusher;
  #isPruning = false;

  private constructor(options: ImageStoreOptions, catalog: Catalog) {
    const { content, snapshots, applyLayer, records, emit } = options;
    const unpacker = new Unpacker({ content, snapshots, applyLayer });
    const clock = options.clock ?? systemClock;
    this.#options = options;
    this.#parts = { content, records, catalog, unpacker, clock, emit, tidy: () => tidy(options) };
    const openRegistry =
      options.openRegistry ?? ((domain, credentials) => new RegistryClient({ domain, credentials }));
    const { retryDelayMs } = options;
    this.#puller = new Puller({
      parts: this.#parts,
      openRegistry,
      ...(retryDelayMs !== undefined && { retryDelayMs }),
    });
    this.#pusher = new Pusher({
      parts: this.#parts,
      documents: records.documents("pushed_blobs"),
      openRegistry,
      processors: availableParallelism(),
      retryDelayMs,
    });
  }

  /** Reads every image; call after the stores have recovered. */
  static async open(options: ImageStoreOptions): Promise<ImageStore> {
    const { content, records, log, clock = systemClock } = options;
    return new ImageStore(options, await Catalog.open({ content, records, log, clock }));
  }

  /**
   * The image that a name or id means, for `platform` when one is given.
   *
   * @throws {EngineError} not-found (`No such image: debian:latest`), invalid for no name or an ambiguous prefix
   */
  resolve(nameOrId: string, platform?: Platform): Image {
    return this.#parts.catalog.get(nameOrId, platform);
  }

  /** As `resolve`, `undefined` when there is none. @throws {EngineError} invalid */
  find(nameOrId: string, platform?: Platform): Image | undefined {
    return this.#parts.catalog.find(nameOrId, platform);
  }

  /** Every image, the most recently created first. */
  async list(): Promise<Image[]> {
    return this.#parts.catalog.list();
  }

  /** Gives an image one more name, taking it from whoever has it. @throws {EngineError} invalid in Docker's words */
  async tag(image: Image, reference: string): Promise<Image> {
    const name = taggableReference(reference);
    const tagged = this.#parts.catalog.set(name, image);
    emitImageEvent(this.#parts.emit, "tag", { image: tagged, name: familiarReference(parseReference(name)) });
    return tagged;
  }

  /** Takes names away, and the image with the last of them. @throws {EngineError} not-found; conflict in Docker's words */
  async remove(nameOrId: string, { force, users }: RemoveOptions): Promise<RemovedItem[]> {
    const image = this.resolve(nameOrId);
    const plan = planRemoval(nameOrId, image, { users, force });
    const removed = this.#untag(image, plan.references, plan.kind === "delete" ? "nothing" : "dangling");
    if (plan.kind === "delete") await this.#parts.tidy();
    return removed;
  }

  /**
   * Removes what an image has for some platforms; the image itself with the last of them.
   *
   * @throws {EngineError} not-found; conflict in Docker's words
   */
  async removePlatforms(
    nameOrId: string,
    platforms: readonly Platform[],
    options: RemoveOptions,
  ): Promise<RemovedItem[]> {
    const image = this.resolve(nameOrId);
    const plan = planPlatformRemoval(image, platforms, options);
    if (!plan.kept.some(({ kind }) => kind === "present")) return await this.remove(nameOrId, options);
    await removeBlobs(image, plan.kept, this.#parts);
    return plan.removed.map(({ descriptor }) => ({ kind: "deleted", id: descriptor.digest }));
  }

  /** Removes images that no container uses: the dangling ones, or all. @throws {EngineError} conflict while one runs */
  async prune(options: PruneOptions, usersOf: UsersOf): Promise<PruneResult> {
    if (this.#isPruning) throw new EngineError("conflict", "a prune operation is already running");
    this.#isPruning = true;
    try {
      return await this.#prune(options, usersOf);
    } finally {
      this.#isPruning = false;
    }
  }

  /** Loads the images of an archive as it streams. @throws {EngineError} saying what is wrong with it */
  async load(source: AsyncIterable<Uint8Array>, options: LoadOptions, signal: AbortSignal): Promise<Image[]> {
    return await loadImages(source, { parts: this.#parts, ...options }, signal);
  }

  /**
   * The archive of some images: a name stands for itself, a repository without tag for all of its tags, an id for the
   * image without names. The blobs stay for as long as it is read.
   *
   * @param platforms which of its platforms; all that are here when empty
   * @throws {EngineError} not-found before the first byte
   */
  save(
    names: readonly string[],
    platforms: readonly Platform[],
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const images = names.flatMap((name) => imagesToSave(name, this.#parts.catalog));
    const chosen = images.map(({ image, references }) => ({
      image: platforms.length === 0 ? image : onlyPlatforms(image, platforms),
      references,
    }));
    return saveImages(chosen, this.#parts, signal);
  }

  /** Makes an image of one layer from the tar of a file system. @throws {EngineError} saying what is wrong with it */
  async importTar(
    source: AsyncIterable<Uint8Array>,
    options: ImportOptions,
    signal: AbortSignal,
  ): Promise<Image> {
    const { snapshots, applyLayer, applyChanges } = this.#options;
    const importer = { parts: this.#parts, snapshots, applyLayer, applyChanges };
    return await importImage(source, { importer, options }, signal);
  }

  /** Fetches an image from its registry. @throws {EngineError} in Docker's words, or saying that nobody answers */
  async pull(
    reference: string,
    options: PullOptions,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Image> {
    const image = await this.#puller.pull(reference, options, progress, signal);
    this.#pusher.pulled(reference, image);
    return image;
  }

  /** Fetches every tag of a repository. @throws {EngineError} as `pull`; not-found when it has none */
  async pullAll(
    repository: string,
    options: PullOptions,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Image[]> {
    const images: Image[] = [];
    for (const tag of await this.#puller.tags(repository, options, signal))
      images.push(await this.pull(`${repository}:${tag}`, options, progress, signal));
    return images;
  }

  /** Sends a name, or every tag of a repository, to its registry. @throws {EngineError} in Docker's words */
  async push(
    reference: string,
    options: PushOptions,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#pusher.push(reference, options, progress, signal);
  }

  /** Makes sure that the image's snapshots exist; the top one's chain ID, `undefined` for an image without layers. */
  async unpack(image: Pick<Image, "manifest" | "config">, signal: AbortSignal): Promise<ChainId | undefined> {
    using lease = this.#parts.records.leases.open();
    return await this.#parts.unpacker.unpack(image, { lease }, signal);
  }

  /** Writes an image from layers that are stored, for the builder and for commit; emits nothing. */
  async create(image: NewImage): Promise<Image> {
    return await writeImage(this.#parts, image);
  }

  /** How the image was made, newest step first. */
  history(image: Image): HistoryStep[] {
    return historyOf(image, this.#sizeOf);
  }

  /** The statements beside an image. @throws {EngineError} not-found when it has nothing for the platform */
  async attestations(image: Image, query: AttestationQuery): Promise<Attestation[]> {
    return await attestationsOf(image, query, this.#parts.content);
  }

  /** What the image's layers take unpacked, as far as they are; layers shared with other images count in each. */
  unpackedBytes(image: Pick<Image, "config">): number {
    return unpackedBytes(image, this.#sizeOf);
  }

  /** What all images take together, and what each has in common with others. */
  usage(isUsed?: (id: Digest) => boolean): ImageUsage {
    return usageOf(this.#parts.catalog.list(), this.#sizeOf, isUsed);
  }

  readonly #sizeOf: SizeOf = (chainId) => this.#options.snapshots.find(chainId)?.sizeBytes;

  #untag(image: Image, references: readonly Reference[], keep: "dangling" | "nothing"): RemovedItem[] {
    const { catalog, emit } = this.#parts;
    catalog.unset(image.id, references, keep);
    const removed: RemovedItem[] = references.map((reference) => ({
      kind: "untagged",
      name: familiarReference(parseReference(reference)),
    }));
    for (const item of removed) {
      if (item.kind === "untagged") emitImageEvent(emit, "untag", { image, name: item.name });
    }
    if (keep === "dangling") return removed;
    emitImageEvent(emit, "delete", { image, name: image.id });
    return [...removed, { kind: "deleted", id: image.id }];
  }

  async #prune(options: PruneOptions, usersOf: UsersOf): Promise<PruneResult> {
    const { catalog, emit } = this.#parts;
    const images = pruneImages(catalog.list(), options, usersOf);
    const removed = images.flatMap((image) => this.#untag(image, image.references, "nothing"));
    const { reclaimedBytes } = await this.#options.collectGarbage();
    emit({ type: "image", action: "prune", id: "", attributes: { reclaimed: String(reclaimedBytes) } });
    return { removed, reclaimedBytes };
  }
}

/** After the fact: what was asked for is done, or its failure matters more than this one. */
async function tidy({ collectGarbage, log }: ImageStoreOptions): Promise<void> {
  try {
    await collectGarbage();
  } catch (error) {
    log.warn("garbage was not collected", { error });
  }
}
