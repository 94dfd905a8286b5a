import { rm } from "node:fs/promises";
import { mkdirSync } from "node:fs";
import { readAccountFiles } from "#runtime/account-files.ts";
import { resolveUser } from "#runtime/spec/user.ts";
import type { Digest } from "#oci/digest.ts";
import { digestOf } from "#oci/digest.ts";
import { selectFiles, selectionDigest } from "../context/select.ts";
import type { SourceTree } from "../context/source-tree.ts";
import type { CopyOperation } from "../graph/copy-operation.ts";
import { chainIdOf, EMPTY_FILE_SYSTEM, type FileSystem } from "../graph/file-system.ts";
import { canonical } from "../graph/vertex.ts";
import type { Executor, ReadyVertex, StepOutput, StepResult } from "../solver/executor.ts";
import { CacheMounts } from "./cache-mounts.ts";
import { copyFiles, type OpenTree } from "./copy-files.ts";
import type { ExecutorOptions } from "./executor-options.ts";
import { MNT_DETACH } from "./host.ts";
import { RootTree } from "./root-tree.ts";
import { runCommand } from "./run-command.ts";
import { StepFolder } from "./step-folder.ts";

/** The mounts of this machine, as far as recovery needs them. */
export interface MountTable {
  mounts(): readonly { readonly target: string }[];
  unmount(target: string, flags?: number): void;
}

/** Does the work of vertices on this machine: snapshots, mounts, containers. */
export class StepExecutor implements Executor {
  readonly caches: CacheMounts;
  readonly #options: ExecutorOptions;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    const { snapshots, documents, kernel } = options;
    this.caches = new CacheMounts({ snapshots, documents, openRoot: (path) => kernel.openRoot(path) });
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  }

  /** At start: what steps of a dead engine left. Snapshots are the store's to remove. */
  async recover(kernel: MountTable): Promise<void> {
    const { folder } = this.#options;
    for (const { target } of kernel.mounts().toReversed()) {
      if (target.startsWith(`${folder}/`)) kernel.unmount(target, MNT_DETACH);
    }
    await rm(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  async inputContent({ vertex, inputs }: ReadyVertex, signal: AbortSignal): Promise<readonly Digest[]> {
    const { operation } = vertex;
    if (operation.kind !== "copy")
      return inputs.slice(1).map((input) => digestOf(chainIdOf(input) ?? "empty"));
    await using folder = await StepFolder.create(this.#options);
    const digests: Digest[] = [];
    for (const source of operation.sources) {
      if (source.from !== "input") continue;
      using view = await this.#openView(folder, inputs[source.input] ?? EMPTY_FILE_SYSTEM, signal);
      digests.push(
        await selectionDigest(view.tree, selectFiles(view.tree, { ...operation, path: source.path })),
      );
    }
    return digests;
  }

  async execute(
    ready: ReadyVertex,
    onOutput: (output: StepOutput) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<StepResult> {
    await using folder = await StepFolder.create(this.#options);
    const base = ready.inputs[0] ?? EMPTY_FILE_SYSTEM;
    const rootfs = await folder.prepare(base, folder.id, signal);
    const { operation } = ready.vertex;
    switch (operation.kind) {
      case "base":
        throw new Error("a base has nothing to execute");
      case "run": {
        const { inputs } = ready;
        const step = { operation, inputs, rootfs, folder, caches: this.caches, onOutput };
        await runCommand(step, this.#options, signal);
        break;
      }
      case "copy":
        await this.#copy(ready, operation, { folder, rootfs, signal });
        break;
      case "directory":
        this.#makeDirectory(rootfs, operation);
        break;
    }
    signal.throwIfAborted();
    return await folder.commit(base, signal);
  }

  async isPresent({ layers }: FileSystem): Promise<boolean> {
    const chainId = chainIdOf({ layers });
    if (chainId !== undefined && this.#options.snapshots.find(chainId) === undefined) return false;
    for (const { descriptor } of layers) {
      if ((await this.#options.content.find(descriptor.digest)) === undefined) return false;
    }
    return true;
  }

  async #copy(
    { inputs }: ReadyVertex,
    operation: CopyOperation,
    { folder, rootfs, signal }: { folder: StepFolder; rootfs: string; signal: AbortSignal },
  ): Promise<void> {
    const { kernel, contexts } = this.#options;
    await using stack = new AsyncDisposableStack();
    using root = kernel.openRoot(rootfs);
    const trees = new Map<string, SourceTree>();
    const openTree: OpenTree = async (source) => {
      const key = source.from === "context" ? canonical(source) : String(source.input);
      const known = trees.get(key);
      if (known !== undefined) return known;
      const { tree } =
        source.from === "context"
          ? stack.use(contexts.acquire({ ...operation, path: source.path }, source.content))
          : stack.use(await this.#openView(folder, inputs[source.input] ?? EMPTY_FILE_SYSTEM, signal));
      trees.set(key, tree);
      return tree;
    };
    await copyFiles(root, { operation, openTree }, signal);
  }

  async #openView(
    folder: StepFolder,
    fileSystem: FileSystem,
    signal: AbortSignal,
  ): Promise<{ readonly tree: SourceTree } & Disposable> {
    const root = this.#options.kernel.openRoot(await folder.view(fileSystem, signal));
    return {
      tree: new RootTree(root, "the files of the source"),
      [Symbol.dispose]: () => root[Symbol.dispose](),
    };
  }

  /** Made with the owner that steps run as; what exists stays as it is. */
  #makeDirectory(rootfs: string, { path, user }: { readonly path: string; readonly user: string }): void {
    using root = this.#options.kernel.openRoot(rootfs);
    const { uid, gid } = resolveUser(readAccountFiles(root), user);
    root.mkdirAll(path, { mode: 0o755, uid, gid });
  }
}
