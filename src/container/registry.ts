import { EngineError } from "#base/errors.ts";
import { type ContainerId, shortId } from "#base/ids.ts";
import type { Logger } from "#base/log.ts";
import type { Documents } from "./neighbours.ts";
import { type ContainerRecord, decodeRecord, encodeRecord } from "./record.ts";

/** Every container by id and by name; what it shows is on disk. Callers hold the container's lock to change one. */
export class Registry {
  readonly #documents: Documents;
  readonly #records = new Map<ContainerId, ContainerRecord>();
  readonly #names = new Map<string, ContainerId>();
  readonly #volumesHeld = new Set<{ readonly name: string; readonly id: ContainerId }>();

  private constructor(documents: Documents) {
    this.#documents = documents;
  }

  /** Reads all records; one that can not be read is left where it is and reported. */
  static load(documents: Documents, log: Logger): Registry {
    const registry = new Registry(documents);
    for (const { id, value } of documents.all()) {
      try {
        const record = decodeRecord(value);
        registry.#records.set(record.id, record);
        registry.#names.set(record.name, record.id);
      } catch (error) {
        log.error("container record can not be read", { id, error });
      }
    }
    return registry;
  }

  /** By full id, exact name (with or without slash) or unique prefix of an id. @throws {EngineError} not-found, invalid */
  get(reference: string): ContainerRecord {
    const record = this.find(reference);
    if (record === undefined) throw new EngineError("not-found", `No such container: ${reference}`);
    return record;
  }

  /** @throws {EngineError} invalid for a prefix that several ids have */
  find(reference: string): ContainerRecord | undefined {
    const name = reference.replace(/^\//, "");
    const exact = this.#records.get(reference as ContainerId) ?? this.#byName(name);
    if (exact || !/^[0-9a-f]{1,63}$/.test(reference)) return exact;
    const matches = [...this.#records.values()].filter(({ id }) => id.startsWith(reference));
    if (matches.length > 1) {
      throw new EngineError("invalid", `Multiple IDs found with provided prefix: ${reference}`);
    }
    return matches[0];
  }

  byId(id: ContainerId): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  /** Newest first. */
  list(): ContainerRecord[] {
    return [...this.#records.values()].toSorted((left, right) => right.createdAt - left.createdAt);
  }

  isNameTaken(name: string): boolean {
    return this.#names.has(name);
  }

  /** Keeps a name for a container that is being made. @throws {EngineError} conflict, in Docker's words */
  reserveName(name: string, id: ContainerId): Disposable {
    const holder = this.#names.get(name);
    if (holder !== undefined) {
      throw new EngineError(
        "conflict",
        `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
        { hint: `darse rm ${shortId(holder)}` },
      );
    }
    this.#names.set(name, id);
    return {
      [Symbol.dispose]: () => {
        if (this.#records.get(id)?.name !== name) this.#names.delete(name);
      },
    };
  }

  /** Keeps a volume for a container that is being made: no record names it yet. */
  holdVolume(name: string, id: ContainerId): Disposable {
    const hold = { name, id };
    this.#volumesHeld.add(hold);
    return { [Symbol.dispose]: () => void this.#volumesHeld.delete(hold) };
  }

  /** The containers that mount a volume, running or not, and those that are being made with it. */
  usersOfVolume(name: string): ContainerId[] {
    const made = this.list().filter(({ mounts }) => mounts.some((mount) => mount.name === name));
    const coming = [...this.#volumesHeld].filter((hold) => hold.name === name);
    return [...new Set([...made, ...coming].map(({ id }) => id))];
  }

  /** Saves, then shows. */
  add(record: ContainerRecord): void {
    this.#documents.put(record.id, encodeRecord(record));
    this.#records.set(record.id, record);
    this.#names.set(record.name, record.id);
  }

  /** Saves what `change` makes of the present record, then shows it. */
  update(id: ContainerId, change: (record: ContainerRecord) => Partial<ContainerRecord>): ContainerRecord {
    const before = this.#records.get(id);
    if (before === undefined) throw new EngineError("not-found", `No such container: ${id}`);
    const after: ContainerRecord = { ...before, ...change(before), id };
    this.#documents.put(id, encodeRecord(after));
    this.#records.set(id, after);
    if (after.name !== before.name) {
      this.#names.set(after.name, id);
      this.#names.delete(before.name);
    }
    return after;
  }

  remove(id: ContainerId): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    this.#documents.remove(id);
    this.#records.delete(id);
    this.#names.delete(record.name);
  }

  #byName(name: string): ContainerRecord | undefined {
    const id = this.#names.get(name);
    return id === undefined ? undefined : this.#records.get(id);
  }
}
