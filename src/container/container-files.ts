import type { Emit } from "#base/event.ts";
import { EngineError } from "#base/errors.ts";
import { newId } from "#base/ids.ts";
import { decompressed } from "#image/decompress.ts";
import type { ChainId } from "#oci/digest.ts";
import type { Containers } from "./containers.ts";
import { containerEvent } from "./events.ts";
import { userIn } from "./facts.ts";
import { type HeldRoot, holdVolumes } from "./mounting.ts";
import type { ContainerRoot, Snapshots, Volumes } from "./neighbours.ts";
import type { ContainerRecord } from "./record.ts";

/** What a path of a container is. */
export interface PathStat {
  readonly name: string;
  readonly type: "file" | "directory" | "symlink" | "character" | "block" | "fifo" | "socket";
  /** Permission bits with set-id and sticky. */
  readonly mode: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Where a symlink leads in the end; empty for anything else. */
  readonly linkTarget: string;
}

export interface FileChange {
  /** Added, changed, deleted. */
  readonly kind: "A" | "C" | "D";
  readonly path: string;
}

interface View {
  readonly root: string;
  readonly isRootReadOnly: boolean;
  readonly mounts: readonly {
    readonly source: string;
    readonly destination: string;
    readonly isReadOnly: boolean;
    readonly isRecursive: boolean;
    /** What of the source is mounted, resolved inside it. */
    readonly subpath?: string;
  }[];
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface ExtractTarget {
  readonly view: View;
  readonly path: string;
  readonly owner?: Owner;
  readonly refusesTypeChange: boolean;
}

/** The store's hand in the files of containers. All of it resolves paths inside the root it is given. */
export interface Archiver {
  stat(view: View, path: string, signal: AbortSignal): Promise<PathStat>;
  pack(
    view: View,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly stat: PathStat; readonly content: AsyncIterable<Uint8Array> }>;
  /** `source` is a plain tar. */
  extract(target: ExtractTarget, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  export(root: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  changes(upper: string, below: string | undefined, signal: AbortSignal): Promise<FileChange[]>;
}

export interface ContainerFilesOptions {
  readonly containers: Pick<Containers, "holdRoot" | "paths">;
  readonly archiver: Archiver;
  readonly snapshots: Pick<Snapshots, "upperPath"> & {
    /** A committed snapshot, mounted read-only until it is disposed. */
    openView(chainId: ChainId): { readonly path: string } & Disposable;
  };
  readonly volumes: Pick<Volumes, "path" | "hold" | "release">;
  readonly openRoot: (path: string) => ContainerRoot;
  readonly emit: Emit;
}

export interface WriteOptions {
  /** A directory does not replace another thing, nor another thing a directory. */
  readonly refusesTypeChange: boolean;
  /** What is written belongs to the container's user, where one is set, not to whom the archive says. */
  readonly belongsToUser: boolean;
}

/**
 * Files of containers, in and out, whether they run or not. What is seen is the root with the volumes and binds of the
 * container; file systems that live in memory alone are not among it, as in Docker.
 */
export class ContainerFiles {
  readonly #options: ContainerFilesOptions;

  constructor(options: ContainerFilesOptions) {
    this.#options = options;
  }

  /** @throws {EngineError} not-found for the container or, in Docker's words, for the path */
  async stat(reference: string, path: string, signal: AbortSignal): Promise<PathStat> {
    using held = this.#options.containers.holdRoot(reference);
    using _data = await this.#holdVolumes(held.record);
    return await this.#asked(reference, path, () =>
      this.#options.archiver.stat(this.#viewOf(held), path, AbortSignal.any([signal, held.signal])),
    );
  }

  /** The path as a tar. Its content is read to the end or left: the container's root is held until then. */
  async read(
    reference: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly stat: PathStat; readonly content: AsyncIterable<Uint8Array> }> {
    using stack = new DisposableStack();
    const held = stack.use(this.#options.containers.holdRoot(reference));
    stack.use(await this.#holdVolumes(held.record));
    const both = AbortSignal.any([signal, held.signal]);
    const { stat, content } = await this.#asked(reference, path, () =>
      this.#options.archiver.pack(this.#viewOf(held), path, both),
    );
    this.#emit(held.record, "archive-path");
    return { stat, content: holding(stack.move(), content, both) };
  }

  /**
   * Extracts a tar, plain or compressed with gzip or zstd, into the directory `path`.
   *
   * @throws {EngineError} not-found, invalid, in Docker's words
   */
  async write(
    reference: string,
    target: WriteOptions & { readonly path: string },
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    using held = this.#options.containers.holdRoot(reference);
    using _data = await this.#holdVolumes(held.record);
    const { path, refusesTypeChange, belongsToUser } = target;
    const owner = belongsToUser ? this.#userOf(held) : undefined;
    await this.#asked(reference, path, () =>
      this.#options.archiver.extract(
        { view: this.#viewOf(held), path, refusesTypeChange, ...(owner && { owner }) },
        decompressed(source, "the archive"),
        AbortSignal.any([signal, held.signal]),
      ),
    );
    this.#emit(held.record, "extract-to-dir");
  }

  /** The container's root as a tar, without what is mounted into it. */
  export(reference: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    using stack = new DisposableStack();
    const held = stack.use(this.#options.containers.holdRoot(reference));
    const both = AbortSignal.any([signal, held.signal]);
    const content = this.#options.archiver.export(held.path, both);
    this.#emit(held.record, "export");
    return holding(stack.move(), content, both);
  }

  /** What the container has changed of its image, by path. */
  async changes(reference: string, signal: AbortSignal): Promise<FileChange[]> {
    const { containers, snapshots, archiver } = this.#options;
    using held = containers.holdRoot(reference);
    const { id, parent } = held.record;
    using below = parent === undefined ? undefined : snapshots.openView(parent);
    const both = AbortSignal.any([signal, held.signal]);
    return await archiver.changes(snapshots.upperPath(id), below?.path, both);
  }

  /** Volumes whose data lie elsewhere are mounted while somebody works on them. */
  async #holdVolumes(record: ContainerRecord): Promise<Disposable> {
    const { volumes } = this.#options;
    const id = newId();
    await holdVolumes({ volumes }, { id, mounts: record.mounts });
    return { [Symbol.dispose]: () => volumes.release(id) };
  }

  #viewOf({ path, record }: HeldRoot & { readonly record: ContainerRecord }): View {
    const { id, mounts, hostConfig } = record;
    const { hostname, hosts, resolvConf } = this.#options.containers.paths(id);
    const plain = { isReadOnly: false, isRecursive: false };
    const etc = [
      { source: hostname, destination: "/etc/hostname", ...plain },
      { source: hosts, destination: "/etc/hosts", ...plain },
      { source: resolvConf, destination: "/etc/resolv.conf", ...plain },
    ];
    const taken = new Set(mounts.map(({ destination }) => destination));
    const asked = mounts
      .filter(({ type }) => type === "bind" || type === "volume")
      .map(({ type, name = "", source = "", destination = "", isWritable, options, subpath }) => ({
        source: type === "volume" ? this.#options.volumes.path(name) : source,
        destination,
        isReadOnly: !isWritable,
        isRecursive: !(options?.nonRecursive ?? false),
        ...(subpath !== undefined && { subpath }),
      }));
    return {
      root: path,
      isRootReadOnly: hostConfig.readonlyRootfs,
      // Written at each start: one that has never run has none.
      mounts: [...(hasRun(record) ? etc.filter(({ destination }) => !taken.has(destination)) : []), ...asked],
    };
  }

  /** By the account files of the container, read as data. */
  #userOf({ path, record }: HeldRoot & { readonly record: ContainerRecord }): Owner | undefined {
    if (!record.config.user) return undefined;
    using root = this.#options.openRoot(path);
    const { uid, gid } = userIn(root, record.config.user, []);
    return { uid, gid };
  }

  async #asked<T>(reference: string, path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!EngineError.is(error, "not-found")) throw error;
      throw new EngineError("not-found", `Could not find the file ${path} in container ${reference}`, {
        cause: error,
      });
    }
  }

  #emit(record: ContainerRecord, action: string): void {
    this.#options.emit(containerEvent(record, action));
  }
}

function hasRun({ state }: ContainerRecord): boolean {
  return state.status !== "created";
}

/** Lets go of `held` when `content` has ended, or when `signal` says that nobody reads it. */
function holding(
  held: DisposableStack,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const letGo = (): void => held.dispose();
  if (signal.aborted) letGo();
  signal.addEventListener("abort", letGo, { once: true });
  return (async function* () {
    try {
      yield* content;
    } finally {
      signal.removeEventListener("abort", letGo);
      letGo();
    }
  })();
}
