import { closeSync, mkdirSync, openSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { newId } from "#base/ids.ts";
import { type ChainId, chainIds, parseChainId } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { chainIdOf, type FileSystem } from "../graph/file-system.ts";
import type { StepResult } from "../solver/executor.ts";
import { MNT_DETACH, MS_BIND, O_PATH } from "./host.ts";
import { ChunkPipe } from "./chunk-pipe.ts";
import type { ExecutorOptions } from "./executor-options.ts";

/**
 * The place of one step: its folder below `<run>`, its snapshot, its mounts. Disposing it unmounts and removes all that
 * was not committed.
 *
 *     <run>/build/<id>/rootfs      the snapshot, mounted
 *                     /view-<n>    file systems it reads
 *                     /hosts …     small files it sees
 */
export class StepFolder implements AsyncDisposable {
  readonly id: string;
  readonly path: string;
  readonly #options: ExecutorOptions;
  readonly #stack = new AsyncDisposableStack();
  readonly #mounts = new Set<string>();
  #views = 0;

  private constructor(options: ExecutorOptions) {
    this.id = newId();
    this.path = join(options.folder, this.id);
    this.#options = options;
  }

  static async create(options: ExecutorOptions): Promise<StepFolder> {
    const folder = new StepFolder(options);
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** A writable view of `base`, mounted. `key` names the snapshot; what is not committed under it is removed. */
  async prepare(base: FileSystem, key: string, signal: AbortSignal): Promise<string> {
    const { snapshots } = this.#options;
    const parent = await this.#ensure(base, signal);
    await snapshots.prepare(key, parent);
    this.#stack.defer(() => snapshots.removeActive(key));
    const target = join(this.path, key === this.id ? "rootfs" : `view-${++this.#views}`);
    snapshots.mount(key, target);
    this.#mounted(target);
    return target;
  }

  /** A read-only view of `fileSystem`, mounted. */
  async view(fileSystem: FileSystem, signal: AbortSignal): Promise<string> {
    const { snapshots } = this.#options;
    const target = join(this.path, `view-${++this.#views}`);
    const chainId = await this.#ensure(fileSystem, signal);
    if (chainId === undefined) {
      await mkdir(target, { mode: 0o755 });
      return target;
    }
    snapshots.mountView(chainId, target);
    this.#mounted(target);
    return target;
  }

  /** Has `undo` run before the mounts go. */
  defer(undo: () => void | Promise<void>): void {
    this.#stack.defer(undo);
  }

  /** Makes what was written to the prepared snapshot a layer on top of `base`. */
  async commit(base: FileSystem, signal: AbortSignal): Promise<StepResult> {
    const { snapshots, content, writeLayer } = this.#options;
    this.#unmount(join(this.path, "rootfs"));
    const pipe = new ChunkPipe();
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const writing = writeLayer({ upper: snapshots.upperPath(this.id), sink: pipe }, both).then(
      (written) => {
        pipe.end();
        return written;
      },
      (error: unknown) => {
        pipe.fail(error);
        throw error;
      },
    );
    try {
      const [{ diffId, sizeBytes }, { digest, size }] = await Promise.all([
        writing,
        content.write(pipe.read(), {}, signal),
      ]);
      const diffIds = [...base.layers.map((layer) => layer.diffId), diffId];
      const chainId = chainIds(diffIds).at(-1) ?? parseChainId(diffId);
      await snapshots.commit(this.id, { chainId, diffId, sizeBytes });
      return { layer: { descriptor: { mediaType: MEDIA_TYPE.ociLayer, digest, size }, diffId }, sizeBytes };
    } catch (error) {
      stop.abort(error);
      await writing.catch(() => undefined);
      throw error;
    }
  }

  /** Binds what `source`, a path inside `tree`, leads to; `undefined` when there is nothing. */
  bind(tree: string, source: string): string | undefined {
    const { kernel } = this.#options;
    using root = kernel.openRoot(tree);
    const found = root.find(source, { follow: true });
    if (found === undefined) return undefined;
    const target = join(this.path, `bind-${++this.#views}`);
    if (found.type === "directory") mkdirSync(target, { mode: 0o755 });
    else closeSync(openSync(target, "wx", 0o600));
    const fd = root.openFollowing(source, O_PATH);
    try {
      kernel.mount({ source: `/proc/self/fd/${fd}`, target, flags: MS_BIND });
    } finally {
      closeSync(fd);
    }
    this.#mounted(target);
    return target;
  }

  /** Mounts go first: when one stays, so does the folder, or its removal would reach into the mount. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await rm(this.path, { recursive: true, force: true });
  }

  #mounted(target: string): void {
    this.#mounts.add(target);
    this.#stack.defer(() => this.#unmount(target));
  }

  #unmount(target: string): void {
    if (!this.#mounts.has(target)) return;
    this.#options.kernel.unmount(target, MNT_DETACH);
    this.#mounts.delete(target);
  }

  async #ensure(fileSystem: FileSystem, signal: AbortSignal): Promise<ChainId | undefined> {
    const chainId = chainIdOf(fileSystem);
    if (chainId !== undefined && this.#options.snapshots.find(chainId) === undefined) {
      await this.#options.unpack(fileSystem.layers, signal);
    }
    return chainId;
  }
}
