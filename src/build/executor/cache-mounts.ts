import { Fields } from "#base/decode.ts";
import { newId } from "#base/ids.ts";
import { KeyedLock } from "#base/lock.ts";
import { digestHex, digestOf } from "#oci/digest.ts";
import type { StepMount } from "../graph/run-operation.ts";
import type { CacheDocuments } from "../solver/build-cache.ts";
import type { StepRoot } from "./host.ts";
import type { StepSnapshots } from "./executor-options.ts";

type CacheMount = Extract<StepMount, { type: "cache" }>;

/** A cache folder in use by one step. */
export interface HeldCache extends Disposable {
  /** Plain directory on this host. */
  readonly path: string;
  /** True when nobody has used it before: it may be given its first content. */
  readonly isNew: boolean;
}

export interface CacheMountsOptions {
  readonly snapshots: Pick<StepSnapshots, "prepare" | "upperPath" | "removeActive" | "actives">;
  readonly documents: CacheDocuments;
  readonly openRoot: (path: string) => StepRoot;
}

/*
 * Documents: cache-mount:<snapshot key> → { id }. The folder is the upper directory of an active snapshot without a
 * parent, which is a plain directory; `private` users beside each other get further snapshots of the same id.
 */
const PREFIX = "cache-mount:";

/** The folders of `RUN --mount=type=cache`: found by id, never part of an image or of a key. */
export class CacheMounts {
  readonly #options: CacheMountsOptions;
  readonly #locks = new KeyedLock();
  readonly #users = new Map<string, number>();

  constructor(options: CacheMountsOptions) {
    this.#options = options;
  }

  /** Snapshot keys that must survive a restart. */
  keys(): string[] {
    return this.#options.documents
      .all()
      .flatMap(({ id }) => (id.startsWith(PREFIX) ? [id.slice(PREFIX.length)] : []));
  }

  /** Dispose the result when the step has ended. */
  async hold(mount: CacheMount): Promise<HeldCache> {
    using stack = new DisposableStack();
    if (mount.sharing === "locked") stack.use(await this.#locks.acquire(`use ${mount.id}`));
    // one at a time makes folders, or two would make one each
    using _making = await this.#locks.acquire(`make ${mount.id}`);
    const key = this.#choose(mount);
    const isNew = !this.#options.snapshots.actives().includes(key);
    if (isNew) await this.#make(key, mount);
    this.#users.set(key, (this.#users.get(key) ?? 0) + 1);
    stack.defer(() => void this.#users.set(key, (this.#users.get(key) ?? 1) - 1));
    const held = stack.move();
    return { path: this.#options.snapshots.upperPath(key), isNew, [Symbol.dispose]: () => held.dispose() };
  }

  /** Removes the folders that no step uses. */
  async prune(): Promise<void> {
    for (const key of this.keys()) {
      if ((this.#users.get(key) ?? 0) > 0) continue;
      this.#options.documents.remove(PREFIX + key);
      await this.#options.snapshots.removeActive(key);
    }
  }

  #choose({ id, sharing }: CacheMount): string {
    const keys = this.#options.documents.all().flatMap((document) => {
      const isSame = document.id.startsWith(PREFIX) && new Fields(document.value).string("id") === id;
      return isSame ? [document.id.slice(PREFIX.length)] : [];
    });
    const usable = sharing === "private" ? keys.find((key) => (this.#users.get(key) ?? 0) === 0) : keys[0];
    return usable ?? `cache-${digestHex(digestOf(id)).slice(0, 16)}-${newId().slice(0, 8)}`;
  }

  async #make(key: string, { id, mode, uid, gid }: CacheMount): Promise<void> {
    const { snapshots, documents, openRoot } = this.#options;
    documents.put(PREFIX + key, { id });
    await snapshots.prepare(key, undefined);
    using root = openRoot(snapshots.upperPath(key));
    root.chown(".", uid, gid);
    root.chmod(".", mode);
  }
}
