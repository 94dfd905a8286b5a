import type { Emit } from "#base/event.ts";
import { EngineError } from "#base/errors.ts";
import { newId } from "#base/ids.ts";
import { type Filters, textMatches } from "#container/list-filters.ts";
import type { VolumeFilling } from "#store/volume/volume-store.ts";
import { ANONYMOUS_LABEL, type Volume, type VolumeRequest } from "#store/volume/volume.ts";
import { checkKeys, isOn, matchesLabels } from "./object-filters.ts";

/** What this needs of the store of volumes. */
export interface VolumeFolders {
  create(request: VolumeRequest): Promise<Volume>;
  createFilled(request: VolumeRequest, filling: VolumeFilling): Promise<Volume>;
  find(name: string): Volume | undefined;
  get(name: string): Volume;
  list(): Volume[];
  remove(name: string): Promise<void>;
  rename(name: string, newName: string, follow: (name: string, newName: string) => void): Volume;
  usage(name: string): Promise<{ readonly sizeBytes: number }>;
  path(name: string): string;
  isEmpty(name: string): boolean;
  copyTo(name: string, path: string): Promise<void>;
  hold(name: string, holder: string): Promise<void>;
  release(holder: string): void;
}

/** What this needs of containers. */
export interface VolumeUsers {
  /** The containers that have a volume, those being made too. */
  usersOfVolume(name: string): readonly string[];
  /** Those of them that have it mounted, or are about to. */
  activeUsersOfVolume(name: string): readonly string[];
  renameVolume(name: string, newName: string): void;
}

/** The store's hand in archives of volumes. */
export interface VolumeArchiver {
  /** All that the directory holds, itself first, as a tar. */
  pack(path: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Extracts a plain tar into the directory, whose attributes it may give too. @throws {EngineError} invalid */
  extract(path: string, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
}

export interface VolumesOptions {
  readonly store: VolumeFolders;
  readonly users: VolumeUsers;
  readonly archiver: VolumeArchiver;
  readonly emit: Emit;
}

/** Volumes as the API has them: the store keeps them, containers use them, and neither may lose one to the other. */
export class Volumes {
  readonly #options: VolumesOptions;

  constructor(options: VolumesOptions) {
    this.#options = options;
  }

  /** @throws {EngineError} invalid for an unknown filter */
  list(filters: Filters): Volume[] {
    checkKeys(filters, ["dangling", "driver", "label", "name"]);
    const dangling = filters.get("dangling");
    const wantsUnused = dangling && isOn("dangling", dangling);
    return this.#options.store.list().filter((volume) => {
      if (wantsUnused !== undefined && (this.#users(volume).length === 0) !== wantsUnused) return false;
      const drivers = filters.get("driver") ?? [];
      const names = filters.get("name") ?? [];
      return (
        (drivers.length === 0 || drivers.includes(volume.driver)) &&
        (names.length === 0 || names.some((name) => textMatches(volume.name, name))) &&
        matchesLabels(new Map(Object.entries(volume.labels)), filters)
      );
    });
  }

  /** @throws {EngineError} not-found, in Docker's words */
  get(name: string): Volume {
    return this.#options.store.get(name);
  }

  /** Idempotent. @throws {EngineError} invalid; not-found for the driver; conflict when the name has another one */
  async create(request: VolumeRequest): Promise<Volume> {
    const { store } = this.#options;
    const isThere = request.name !== undefined && store.find(request.name) !== undefined;
    const volume = await store.create(request);
    if (!isThere) this.#emit("create", volume);
    return volume;
  }

  /** @param force success when there is no such volume @throws {EngineError} not-found; conflict while it is used */
  async remove(name: string, { force }: { force: boolean }): Promise<void> {
    const volume = this.#options.store.find(name);
    if (volume === undefined) {
      if (force) return;
      throw new EngineError("not-found", `get ${name}: no such volume`);
    }
    const users = this.#users(volume);
    if (users.length > 0) {
      throw new EngineError("conflict", `remove ${name}: volume is in use - [${users.join(", ")}]`);
    }
    await this.#discard(volume);
  }

  /**
   * Removes what no container uses: volumes that nobody named, with the filter `all` the named ones too. Those whose data
   * lie elsewhere stay, as in Docker.
   *
   * @throws {EngineError} invalid for an unknown filter
   */
  async prune(
    filters: Filters,
    { namedToo }: { namedToo: boolean },
  ): Promise<{ readonly removed: string[]; readonly reclaimedBytes: number }> {
    checkKeys(filters, ["all", "label", "label!"]);
    const all = filters.get("all");
    const takesNamed = namedToo || (all !== undefined && isOn("all", all));
    const removed: string[] = [];
    let reclaimedBytes = 0;
    for (const volume of this.#options.store.list()) {
      const { name, labels, options } = volume;
      if (!takesNamed && !Object.hasOwn(labels, ANONYMOUS_LABEL)) continue;
      if (Object.keys(options).length > 0) continue;
      if (!matchesLabels(new Map(Object.entries(labels)), filters) || this.#users(volume).length > 0)
        continue;
      const { sizeBytes } = await this.#options.store.usage(name);
      // While it was measured a container may have come that uses it, or somebody else has removed it.
      if (this.#users(volume).length > 0 || this.#options.store.find(name) !== volume) continue;
      await this.#discard(volume);
      removed.push(name);
      reclaimedBytes += sizeBytes;
    }
    const attributes = { reclaimed: String(reclaimedBytes) };
    this.#options.emit({ type: "volume", action: "prune", id: "", attributes });
    return { removed, reclaimedBytes };
  }

  /**
   * Gives a volume another name; containers that have it and do not run follow.
   *
   * @throws {EngineError} not-found; invalid for the name; conflict when it is taken or a container has it mounted
   */
  rename(name: string, newName: string): Volume {
    const { store, users } = this.#options;
    this.#refuseActive("rename", store.get(name).name);
    const volume = store.rename(name, newName, (from, to) => users.renameVolume(from, to));
    this.#emit("rename", volume, { oldName: name });
    return volume;
  }

  /**
   * Makes the volume `copy` with the labels and the data of `name`. A container that writes meanwhile is not stopped.
   *
   * @throws {EngineError} not-found; invalid for the name; conflict when it is taken
   */
  async clone(name: string, copy: string): Promise<Volume> {
    const { store } = this.#options;
    const { [ANONYMOUS_LABEL]: _unnamed, ...labels } = store.get(name).labels;
    const confirm = (): void => {
      if (store.find(copy) === undefined) return;
      throw new EngineError("conflict", `clone ${name}: a volume named "${copy}" already exists`, {
        hint: "choose another name",
      });
    };
    confirm();
    await using _data = await this.#hold(name);
    const fill = (path: string): Promise<void> => store.copyTo(name, path);
    const volume = await store.createFilled({ name: copy, labels }, { fill, confirm });
    this.#emit("create", volume);
    return volume;
  }

  /** A volume's content as a tar, itself first. To be read to its end or left. @throws {EngineError} not-found */
  async export(name: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { store, archiver } = this.#options;
    await using stack = new AsyncDisposableStack();
    stack.use(await this.#hold(store.get(name).name));
    const content = archiver.pack(store.path(name), signal);
    const held = stack.move();
    return (async function* () {
      await using _held = held;
      yield* content;
    })();
  }

  /**
   * Fills a volume, made if need be, from a plain tar: all of it or nothing. What it held before is replaced when
   * `replaces` says so.
   *
   * @throws {EngineError} invalid for the archive; conflict when the volume holds something, or a container has it mounted
   */
  async import(
    name: string,
    source: AsyncIterable<Uint8Array>,
    { replaces, signal }: { readonly replaces: boolean; readonly signal: AbortSignal },
  ): Promise<Volume> {
    const { store, archiver } = this.#options;
    const isNew = store.find(name) === undefined;
    const confirm = (): void => this.#checkImport(name, replaces);
    confirm();
    const fill = (path: string): Promise<void> => archiver.extract(path, source, signal);
    const volume = await store.createFilled({ name }, { fill, confirm });
    if (isNew) this.#emit("create", volume);
    return volume;
  }

  #checkImport(name: string, replaces: boolean): void {
    const volume = this.#options.store.find(name);
    if (volume === undefined) return;
    if (Object.keys(volume.options).length > 0) {
      throw new EngineError(
        "conflict",
        `import ${name}: its data are mounted from ${volume.options["device"]}`,
        {
          hint: `extract there, or through a container that has the volume: darse cp - CONTAINER:PATH`,
        },
      );
    }
    this.#refuseActive("import", name);
    if (replaces || this.#options.store.isEmpty(name)) return;
    throw new EngineError("conflict", `import ${name}: volume is not empty`, {
      hint: `to replace what it holds: darse volume import --replace ${name}`,
    });
  }

  #refuseActive(verb: string, name: string): void {
    const active = this.#options.users.activeUsersOfVolume(name);
    if (active.length === 0) return;
    throw new EngineError("conflict", `${verb} ${name}: volume is in use - [${active.join(", ")}]`, {
      hint: `darse stop ${active.map((id) => id.slice(0, 12)).join(" ")}`,
    });
  }

  /** Has the data there while somebody works on them. */
  async #hold(name: string): Promise<AsyncDisposable> {
    const { store } = this.#options;
    const holder = newId();
    await store.hold(name, holder);
    return {
      [Symbol.asyncDispose]: async () => {
        store.release(holder);
        await Promise.resolve();
      },
    };
  }

  async #discard(volume: Volume): Promise<void> {
    await this.#options.store.remove(volume.name);
    this.#emit("destroy", volume);
  }

  #emit(action: string, { name, driver }: Volume, more: Readonly<Record<string, string>> = {}): void {
    this.#options.emit({ type: "volume", action, id: name, attributes: { driver, ...more } });
  }

  #users({ name }: Volume): readonly string[] {
    return this.#options.users.usersOfVolume(name);
  }
}
