import { chmodSync, existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "#base/clock.ts";
import { EngineError, isErrno } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import { MNT_DETACH, MS_RDONLY } from "#linux/constants.ts";
import type { Kernel } from "#linux/kernel.ts";
import type { ChainId } from "#oci/digest.ts";
import { isOpaque } from "../layer/overlay-form.ts";
import { findPending, removePending } from "../layer/pending.ts";
import { settle } from "../layer/settle.ts";
import { PRIVATE_MODE } from "../layout.ts";
import { ensurePrivateDirectory } from "../private-directory.ts";
import { diskUsage } from "./disk-usage.ts";
import { Flusher, flushFileSystem } from "./flusher.ts";
import { openLayerDraft } from "./layer-draft.ts";
import { overlayOptions } from "./overlay-options.ts";
import { SnapshotRecords, type SnapshotTable } from "./snapshot-records.ts";
import type { CommitFacts, LayerDraft, Snapshot, Snapshotter, Usage } from "./snapshotter.ts";
import { Trash } from "../trash.ts";

/*
 *   <root>/                     0700
 *     <key>/diff                one layer in overlay form; <key> is a number in base 36
 *     <key>/work                overlayfs's own, while the snapshot is active
 *     <key>/pending.json        between unpacking and commit, see layer/pending.ts
 *     empty/                    what a mount of too few layers is filled up with
 *     views/<n>                 where a parent is looked at while a layer is settled
 *     trash/                    removed, deleted later
 *
 * Mounts are made with <root> as current directory, so that a layer takes `lowerdir` about eight characters.
 */

export interface OverlaySnapshotterOptions {
  readonly root: string;
  readonly records: SnapshotTable;
  readonly kernel: Pick<Kernel, "mount" | "unmount" | "mounts" | "openRoot" | "readSysctl">;
  readonly log: Logger;
  /** Makes durable what was written to the file system of `root`; `sync -f` when absent. */
  readonly flush?: (root: string) => Promise<void>;
  /** How long what was removed lies before it is deleted. */
  readonly trashDelayMs?: number;
  readonly clock?: Clock;
}

/** Flushing waits for the end of a pull: it slows down what is written meanwhile. */
const FLUSH_DELAY_MS = 2000;

const EMPTY = "empty";
const VIEWS = "views";
const TRASH = "trash";

/** Snapshots as overlayfs directories: nothing is copied, a mount takes less than a millisecond. */
export class OverlaySnapshotter implements Snapshotter, AsyncDisposable {
  readonly #root: string;
  readonly #records: SnapshotRecords;
  readonly #kernel: OverlaySnapshotterOptions["kernel"];
  readonly #trash: Trash;
  readonly #clock: Clock;
  readonly #bootId: string;
  readonly #flusher: Flusher<ChainId>;
  #lastView = 0;

  private constructor(options: OverlaySnapshotterOptions) {
    this.#root = options.root;
    this.#records = new SnapshotRecords(options.records);
    this.#kernel = options.kernel;
    this.#clock = options.clock ?? systemClock;
    this.#bootId = options.kernel.readSysctl("kernel.random.boot_id");
    const { root, log, flush = flushFileSystem } = options;
    this.#flusher = new Flusher({ flush: () => flush(root), delayMs: FLUSH_DELAY_MS, log }, (chainIds) =>
      this.#records.markDurable(chainIds),
    );
    this.#trash = new Trash(join(options.root, TRASH), options.log, options.trashDelayMs);
  }

  /** Opens the snapshots in `root`, made if need be. Call `recover` before anything else. */
  static open(options: OverlaySnapshotterOptions): OverlaySnapshotter {
    ensurePrivateDirectory(options.root);
    for (const name of [EMPTY, VIEWS]) ensurePrivateDirectory(join(options.root, name));
    return new OverlaySnapshotter(options);
  }

  find(chainId: ChainId): Snapshot | undefined {
    return this.#records.findCommitted(chainId);
  }

  list(): Snapshot[] {
    return this.#records.committed();
  }

  actives(): string[] {
    return this.#records.actives().map(({ key }) => key);
  }

  async draft(): Promise<LayerDraft> {
    const folder = this.#makeFolder();
    return openLayerDraft(this.#diff(folder), {
      commit: (facts) => this.#commitDraft(folder, facts),
      discard: () => this.#discard(folder),
    });
  }

  async prepare(key: string, parent: ChainId | undefined): Promise<void> {
    if (this.#records.findActive(key) !== undefined) {
      throw new EngineError(
        "conflict",
        `Cannot prepare snapshot "${key}": there is an active one of that name`,
      );
    }
    const [top] = this.#records.chain(parent);
    const folder = this.#makeFolder();
    mkdirSync(join(this.#root, folder, "work"), { mode: PRIVATE_MODE });
    if (top !== undefined) this.#copyRootAttributes(top.folder, folder);
    this.#records.putActive({ key, folder, ...(parent !== undefined && { parent }) });
  }

  mount(key: string, target: string): void {
    const { folder, parent } = this.#records.getActive(key);
    const lower = this.#records.chain(parent).map((record) => `${record.folder}/diff`);
    const writable = { upper: `${folder}/diff`, work: `${folder}/work` };
    const data = overlayOptions({ lower: lower.length === 0 ? [EMPTY] : lower, writable });
    mkdirSync(target, { recursive: true });
    this.#kernel.mount({ source: "overlay", target, type: "overlay", data, cwd: this.#root });
  }

  mountView(chainId: ChainId, target: string): void {
    const lower = this.#records.chain(chainId).map((record) => `${record.folder}/diff`);
    // A mount without writable layer needs two layers at least.
    const data = overlayOptions({ lower: lower.length === 1 ? [...lower, EMPTY] : lower });
    mkdirSync(target, { recursive: true });
    this.#kernel.mount({
      source: "overlay",
      target,
      type: "overlay",
      flags: MS_RDONLY,
      data,
      cwd: this.#root,
    });
  }

  /** A committed snapshot, mounted read-only in a folder of ours until it is disposed, or the next start. */
  openView(chainId: ChainId): { readonly path: string } & Disposable {
    const path = join(this.#root, VIEWS, `${++this.#lastView}`);
    this.mountView(chainId, path);
    return {
      path,
      [Symbol.dispose]: () => {
        this.#kernel.unmount(path, MNT_DETACH);
        rmdirSync(path);
      },
    };
  }

  upperPath(key: string): string {
    return this.#diff(this.#records.getActive(key).folder);
  }

  async commit(key: string, facts: CommitFacts): Promise<void> {
    const { folder, parent } = this.#records.getActive(key);
    if (this.#records.findCommitted(facts.chainId) !== undefined) return await this.removeActive(key);
    this.#putCommitted(folder, { ...facts, parent });
    this.#records.removeActive(key);
    this.#trash.discard(join(this.#root, folder, "work"));
  }

  async removeActive(key: string): Promise<void> {
    const record = this.#records.findActive(key);
    if (record === undefined) return;
    this.#records.removeActive(key);
    this.#discard(record.folder);
  }

  async remove(chainId: ChainId): Promise<void> {
    const record = this.#records.findCommitted(chainId);
    if (record === undefined) return;
    const children = this.#records.childrenOf(chainId);
    if (children.length > 0) {
      throw new EngineError(
        "conflict",
        `Cannot remove snapshot ${chainId}: ${children.length} stand on it, such as ${children[0]}`,
      );
    }
    this.#records.removeCommitted(chainId);
    this.#discard(record.folder);
  }

  async usage(key: string): Promise<Usage> {
    return await diskUsage(this.upperPath(key));
  }

  async recover(keep: ReadonlySet<string>): Promise<void> {
    for (const { target } of this.#kernel.mounts().toReversed()) {
      if (target.startsWith(`${this.#root}/`)) this.#kernel.unmount(target, MNT_DETACH);
    }
    const isLost = (folder: string): boolean => !existsSync(this.#diff(folder));
    this.#forgetLost();
    const committed = new Set(this.#records.committed().map(({ folder }) => folder));
    for (const { key, folder } of this.#records.actives()) {
      // Killed in the middle of `commit`: the folder belongs to the committed one already.
      if (!keep.has(key) || committed.has(folder) || isLost(folder)) this.#records.removeActive(key);
    }
    const known = new Set([...committed, ...this.#records.actives().map(({ folder }) => folder)]);
    for (const name of readdirSync(this.#root)) {
      if (![EMPTY, VIEWS, TRASH].includes(name) && !known.has(name)) this.#discard(name);
    }
  }

  /** Makes durable now what was committed so far. */
  async flush(): Promise<void> {
    await this.#flusher.flush();
  }

  /** Deletes now what was removed so far. */
  async emptyTrash(): Promise<void> {
    await this.#trash.empty();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flusher[Symbol.asyncDispose]();
    await this.#trash[Symbol.asyncDispose]();
  }

  /**
   * Forgets snapshots whose files are gone, or may be torn because the machine stopped before they were flushed, and all
   * that stands on them: their blobs are whole, so they are unpacked again when needed.
   */
  #forgetLost(): void {
    this.#records.forgetLost(
      ({ folder, volatileIn }) =>
        !existsSync(this.#diff(folder)) || (volatileIn !== undefined && volatileIn !== this.#bootId),
    );
    for (const { chainId, volatileIn } of this.#records.committed()) {
      if (volatileIn !== undefined) this.#flusher.add(chainId);
    }
  }

  #commitDraft(folder: string, facts: CommitFacts & { parent: ChainId | undefined }): void {
    if (this.#records.findCommitted(facts.chainId) !== undefined) return this.#discard(folder);
    const chain = this.#records.chain(facts.parent);
    const pending = findPending(this.#diff(folder));
    if (pending !== undefined) {
      using layer = this.#kernel.openRoot(this.#diff(folder));
      if (chain.length === 0 || facts.parent === undefined) settle({ layer, below: undefined, pending });
      else this.#withView(facts.parent, (below) => settle({ layer, below, pending }));
      removePending(this.#diff(folder));
    }
    this.#putCommitted(folder, facts);
  }

  #withView(chainId: ChainId, work: (below: ReturnType<Kernel["openRoot"]>) => void): void {
    using view = this.openView(chainId);
    using below = this.#kernel.openRoot(view.path);
    work(below);
  }

  #putCommitted(folder: string, facts: CommitFacts & { parent: ChainId | undefined }): void {
    using layer = this.#kernel.openRoot(this.#diff(folder));
    const { chainId, diffId, sizeBytes, parent } = facts;
    this.#records.putCommitted({
      chainId,
      ...(parent !== undefined && { parent }),
      diffId,
      sizeBytes,
      createdAt: this.#clock(),
      folder,
      isOpaque: isOpaque(layer, ""),
      volatileIn: this.#bootId,
    });
    this.#flusher.add(chainId);
  }

  /** The root of a mount looks as its uppermost layer says. */
  #copyRootAttributes(from: string, to: string): void {
    using source = this.#kernel.openRoot(this.#diff(from));
    using target = this.#kernel.openRoot(this.#diff(to));
    const { mode, uid, gid } = source.stat(".");
    target.chown(".", uid, gid);
    target.chmod(".", mode);
  }

  /** A new folder with an empty layer in it. */
  #makeFolder(): string {
    for (;;) {
      const folder = this.#records.newFolder();
      try {
        mkdirSync(join(this.#root, folder), { mode: PRIVATE_MODE });
        mkdirSync(this.#diff(folder));
        // Whatever our umask: it is the root directory of containers.
        chmodSync(this.#diff(folder), 0o755);
        return folder;
      } catch (error) {
        if (!isErrno(error, "EEXIST")) throw error;
      }
    }
  }

  #discard(folder: string): void {
    this.#trash.discard(join(this.#root, folder));
  }

  #diff(folder: string): string {
    return join(this.#root, folder, "diff");
  }
}
