import type { Emit } from "#base/event.ts";
import { EngineError } from "#base/errors.ts";
import { type Filters, textMatches } from "#container/list-filters.ts";
import { ANONYMOUS_LABEL, type Volume, type VolumeRequest } from "#store/volume/volume-store.ts";
import { checkKeys, isOn, matchesLabels } from "./object-filters.ts";

/** What this needs of the store of volumes. */
export interface VolumeFolders {
  create(request: VolumeRequest): Promise<Volume>;
  find(name: string): Volume | undefined;
  get(name: string): Volume;
  list(): Volume[];
  remove(name: string): Promise<void>;
  usage(name: string): Promise<{ readonly sizeBytes: number }>;
}

export interface VolumesOptions {
  readonly store: VolumeFolders;
  /** The containers that have a volume, those being made too. */
  readonly usersOf: (name: string) => readonly string[];
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

  /** Idempotent. @throws {EngineError} invalid, not-found for the driver, unsupported for its options */
  async create(request: VolumeRequest): Promise<Volume> {
    const { store, emit } = this.#options;
    const isThere = request.name !== undefined && store.find(request.name) !== undefined;
    const volume = await store.create(request);
    if (!isThere)
      emit({ type: "volume", action: "create", id: volume.name, attributes: { driver: volume.driver } });
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
   * Removes what no container uses: volumes that nobody named, with the filter `all` the named ones too.
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
      const { name, labels } = volume;
      if (!takesNamed && !Object.hasOwn(labels, ANONYMOUS_LABEL)) continue;
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

  async #discard({ name, driver }: Volume): Promise<void> {
    await this.#options.store.remove(name);
    this.#options.emit({ type: "volume", action: "destroy", id: name, attributes: { driver } });
  }

  #users({ name }: Volume): readonly string[] {
    return this.#options.usersOf(name);
  }
}
