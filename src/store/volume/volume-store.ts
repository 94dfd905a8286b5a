import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import { newId } from "#base/ids.ts";
import type { Logger } from "#base/log.ts";
import { MS_RDONLY } from "#linux/constants.ts";
import type { Kernel } from "#linux/kernel.ts";
import { ensurePrivateDirectory } from "../private-directory.ts";
import { diskUsage } from "../snapshot/disk-usage.ts";
import { Trash } from "../trash.ts";
import { copyUp } from "./copy-up.ts";
import { LocalMounts, type LocalVolume } from "./local-mounts.ts";
import { checkLocalOptions, localMount } from "./local-options.ts";
import {
  ANONYMOUS_LABEL,
  checkVolumeName,
  decodeVolume,
  type Volume,
  type VolumeRequest,
  VOLUME_NAME,
} from "./volume.ts";

/*
 *   <root>/               0700
 *     <name>/_data        what containers see
 *     .trash/             removed, deleted later; no volume can have that name
 *     .staging/<id>/_data being filled; worthless after a crash
 */

export interface VolumeTable {
  all(): { readonly id: string; readonly value: unknown }[];
  put(id: string, value: unknown): void;
  remove(id: string): void;
}

export interface VolumeStoreOptions {
  readonly root: string;
  readonly records: VolumeTable;
  readonly kernel: Pick<Kernel, "openRoot" | "mounts" | "unmount">;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** How a volume gets its content. */
export interface VolumeFilling {
  /** Fills the data directory, which is empty and which nobody else sees yet. */
  readonly fill: (path: string) => Promise<void>;
  /** Called at the last moment: throws when the volume must not come into being after all. */
  readonly confirm: () => void;
}

const TRASH = ".trash";
const STAGING = ".staging";
const DATA = "_data";

/** Directories that outlive containers. Who uses a volume is known above; this store only keeps them. */
export class VolumeStore implements AsyncDisposable {
  readonly #root: string;
  readonly #table: VolumeTable;
  readonly #kernel: VolumeStoreOptions["kernel"];
  readonly #clock: Clock;
  readonly #trash: Trash;
  readonly #mounts: LocalMounts;
  readonly #volumes: Map<string, Volume>;

  private constructor(options: VolumeStoreOptions) {
    this.#root = options.root;
    this.#table = options.records;
    this.#kernel = options.kernel;
    this.#clock = options.clock ?? systemClock;
    this.#trash = new Trash(join(options.root, TRASH), options.log);
    this.#mounts = new LocalMounts(options.kernel);
    this.#volumes = new Map(options.records.all().map(({ id, value }) => [id, decodeVolume(id, value)]));
  }

  /** Opens the volumes in `root`, made if need be. Call `recover` before anything else. */
  static open(options: VolumeStoreOptions): VolumeStore {
    ensurePrivateDirectory(options.root);
    return new VolumeStore(options);
  }

  /**
   * Makes a volume; one of that name that is there already is returned as it is, as Docker does.
   *
   * @throws {EngineError} invalid; not-found for a driver; conflict when the name has another driver
   */
  async create(request: VolumeRequest): Promise<Volume> {
    const volume = this.#planned(request);
    const present = this.#volumes.get(volume.name);
    if (present !== undefined) return present;
    this.#makeFolder(volume.name);
    this.#put(volume);
    return volume;
  }

  /**
   * Makes a volume that has its content, all at once: until it is done nobody sees it, and when it fails nothing of it
   * is left. One that is there loses its content and keeps its record; the caller has seen to it that nobody uses it.
   *
   * @throws {EngineError} as `create`; whatever `fill` and `confirm` throw
   */
  async createFilled(request: VolumeRequest, { fill, confirm }: VolumeFilling): Promise<Volume> {
    const volume = this.#planned(request);
    const staged = join(this.#root, STAGING, newId());
    mkdirSync(join(this.#root, STAGING), { recursive: true, mode: 0o700 });
    try {
      makeVolumeFolder(staged);
      await fill(join(staged, DATA));
      confirm();
      this.#trash.discard(join(this.#root, volume.name));
      renameSync(staged, join(this.#root, volume.name));
    } catch (error) {
      this.#trash.discard(staged);
      throw error;
    }
    const present = this.#volumes.get(volume.name);
    if (present === undefined) this.#put(volume);
    return present ?? volume;
  }

  /** @throws {EngineError} not-found, in Docker's words */
  get(name: string): Volume {
    const volume = this.find(name);
    if (volume === undefined) throw new EngineError("not-found", `get ${name}: no such volume`);
    return volume;
  }

  find(name: string): Volume | undefined {
    return this.#volumes.get(name);
  }

  /** In order of name. */
  list(): Volume[] {
    return [...this.#volumes.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** The caller has seen to it that nobody uses it. Its files are deleted later. @throws {EngineError} not-found */
  async remove(name: string): Promise<void> {
    const volume = this.get(name);
    this.#mounts.unmountUnheld([this.#local(volume)]);
    this.#volumes.delete(name);
    this.#table.remove(name);
    this.#trash.discard(join(this.#root, name));
  }

  /**
   * Gives a volume another name, a chosen one. Records that name it are changed by `follow`; when the engine dies in
   * between, `recover` brings all of it to its end. The caller has seen to it that nobody has it mounted.
   *
   * @throws {EngineError} not-found; invalid for the name; conflict when it is taken
   */
  rename(name: string, newName: string, follow: (name: string, newName: string) => void): Volume {
    const { [ANONYMOUS_LABEL]: _unnamed, ...labels } = this.get(name).labels;
    checkVolumeName(newName);
    if (this.#volumes.has(newName)) {
      throw new EngineError("conflict", `rename ${name}: a volume named "${newName}" already exists`, {
        hint: "choose another name",
      });
    }
    const renamed = { ...this.get(name), name: newName, labels };
    this.#mounts.unmountUnheld([this.#local(this.get(name))]);
    this.#put({ ...renamed, formerName: name });
    return this.#finishRename({ ...renamed, formerName: name }, follow);
  }

  /** What its files take on disk; -1 for data that are mounted from elsewhere. */
  async usage(name: string): Promise<{ readonly sizeBytes: number }> {
    if (localMount(this.find(name)?.options ?? {}) !== undefined) return { sizeBytes: -1 };
    return await diskUsage(this.path(name));
  }

  /** Its data directory on this host. */
  path(name: string): string {
    checkVolumeName(name);
    return join(this.#root, name, DATA);
  }

  /** Whether its options have its data mounted read-only. */
  isReadOnly(name: string): boolean {
    return ((localMount(this.find(name)?.options ?? {})?.flags ?? 0) & MS_RDONLY) !== 0;
  }

  /**
   * Has the data there that the driver mounts from elsewhere, until `release`: for a container, by its id, or a piece of
   * work. Nothing to do for a plain volume. @throws {EngineError} internal when they can not be mounted
   */
  async hold(name: string, holder: string): Promise<void> {
    const volume = this.find(name);
    if (volume !== undefined) await this.#mounts.hold(this.#local(volume), holder);
  }

  /** All that `holder` holds. */
  release(holder: string): void {
    for (const volume of this.#volumes.values()) this.#mounts.release(this.#local(volume), holder);
  }

  /** After all who run have said what they hold. */
  unmountUnheld(): void {
    this.#mounts.unmountUnheld(this.list().map((volume) => this.#local(volume)));
  }

  /**
   * Copies the directory `pathInRoot` of the tree below `root` into the volume, with owners, modes, times and attributes,
   * the directory's own included. Does nothing when the volume holds something, or the path is no directory.
   */
  async populate(name: string, from: { readonly root: string; readonly pathInRoot: string }): Promise<void> {
    this.get(name);
    using target = this.#kernel.openRoot(this.path(name));
    if (target.readdir(".").length > 0) return;
    using source = this.#kernel.openRoot(from.root);
    if (source.find(from.pathInRoot, { follow: true })?.type !== "directory") return;
    await copyUp(source, from.pathInRoot, target);
  }

  /** Copies a volume's data into the empty directory `path`. */
  async copyTo(name: string, path: string): Promise<void> {
    using source = this.#kernel.openRoot(this.path(name));
    using target = this.#kernel.openRoot(path);
    await copyUp(source, "/", target);
  }

  /** Whether it holds no file. */
  isEmpty(name: string): boolean {
    return readdirSync(this.path(name)).length === 0;
  }

  /**
   * At start: a renaming is finished; a volume whose record was lost is taken up again, so that no data is; a folder of an
   * unfinished creation is removed.
   */
  async recover(follow: (name: string, newName: string) => void = () => undefined): Promise<void> {
    for (const volume of this.list()) if (volume.formerName !== undefined) this.#finishRename(volume, follow);
    for (const { name } of this.list()) this.#makeFolder(name);
    for (const name of readdirSync(this.#root)) {
      if (name === TRASH || this.#volumes.has(name)) continue;
      const data = join(this.#root, name, DATA);
      const isWorth = VOLUME_NAME.test(name) && existsSync(data) && readdirSync(data).length > 0;
      if (isWorth) {
        this.#put({ name, driver: "local", labels: {}, options: {}, createdAt: this.#clock() });
      } else this.#trash.discard(join(this.#root, name));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trash[Symbol.asyncDispose]();
  }

  #planned(request: VolumeRequest): Volume {
    const { name = newId(), driver = "local", labels = {}, options = {}, origin } = request;
    checkVolumeName(name);
    const isLocal = driver === "local" || driver === "";
    if (!isLocal && this.#volumes.has(name)) {
      const reason = `driver 'local' already has volume '${name}': volume name must be unique`;
      throw new EngineError("conflict", `create ${name}: ${reason}`, { hint: `darse volume rm ${name}` });
    }
    if (!isLocal) {
      const reason = `error looking up volume plugin ${driver}: plugin "${driver}" not found`;
      throw new EngineError("not-found", reason);
    }
    checkLocalOptions(name, options);
    return {
      name,
      driver: "local",
      labels: request.name === undefined ? { ...labels, [ANONYMOUS_LABEL]: "" } : { ...labels },
      options: { ...options },
      createdAt: this.#clock(),
      ...(origin !== undefined && { origin }),
    };
  }

  #finishRename(volume: Volume, follow: (name: string, newName: string) => void): Volume {
    const { formerName, ...done } = volume;
    if (formerName === undefined) return volume;
    const [from, to] = [join(this.#root, formerName), join(this.#root, volume.name)];
    if (existsSync(from) && !existsSync(to)) renameSync(from, to);
    follow(formerName, volume.name);
    this.#volumes.delete(formerName);
    this.#table.remove(formerName);
    this.#put(done);
    return done;
  }

  #local({ name, options }: Volume): LocalVolume {
    return { name, options, path: this.path(name) };
  }

  #put(volume: Volume): void {
    const { name, ...value } = volume;
    this.#table.put(name, value);
    this.#volumes.set(name, volume);
  }

  #makeFolder(name: string): void {
    if (!existsSync(this.path(name))) makeVolumeFolder(join(this.#root, name));
  }
}

/** A volume's folder with its data directory, empty. */
function makeVolumeFolder(path: string): void {
  ensurePrivateDirectory(path);
  mkdirSync(join(path, DATA));
  // Whatever our umask: users of the container enter it.
  chmodSync(join(path, DATA), 0o755);
}
