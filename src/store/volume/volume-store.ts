import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "#base/clock.ts";
import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { type ContainerId, newId } from "#base/ids.ts";
import type { Logger } from "#base/log.ts";
import type { Kernel } from "#linux/kernel.ts";
import { diskUsage } from "../snapshot/disk-usage.ts";
import { ensurePrivateDirectory } from "../private-directory.ts";
import { Trash } from "../trash.ts";
import { copyUp } from "./copy-up.ts";

/*
 *   <root>/               0700
 *     <name>/_data        what containers see
 *     .trash/             removed, deleted later; no volume can have that name
 */

export interface Volume {
  readonly name: string;
  readonly driver: "local";
  readonly labels: Readonly<Record<string, string>>;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  /** The container it was made for and goes away with, when nobody gave it a name. */
  readonly anonymousFor?: string;
}

export interface VolumeRequest {
  /** 64 hex characters of our own when absent. */
  readonly name?: string;
  /** Only `local` is known. */
  readonly driver?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Options of the driver; `local` takes none so far. */
  readonly options?: Readonly<Record<string, string>>;
  readonly anonymousFor?: ContainerId;
}

export interface VolumeTable {
  all(): { readonly id: string; readonly value: unknown }[];
  put(id: string, value: unknown): void;
  remove(id: string): void;
}

export interface VolumeStoreOptions {
  readonly root: string;
  readonly records: VolumeTable;
  readonly kernel: Pick<Kernel, "openRoot">;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** Docker's label of a volume that nobody named. */
export const ANONYMOUS_LABEL = "com.docker.volume.anonymous";

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const MAX_NAME = 255;
const TRASH = ".trash";
const DATA = "_data";

/** Directories that outlive containers. Who uses a volume is known above; this store only keeps them. */
export class VolumeStore implements AsyncDisposable {
  readonly #root: string;
  readonly #table: VolumeTable;
  readonly #kernel: Pick<Kernel, "openRoot">;
  readonly #clock: Clock;
  readonly #trash: Trash;
  readonly #volumes: Map<string, Volume>;

  private constructor(options: VolumeStoreOptions) {
    this.#root = options.root;
    this.#table = options.records;
    this.#kernel = options.kernel;
    this.#clock = options.clock ?? systemClock;
    this.#trash = new Trash(join(options.root, TRASH), options.log);
    this.#volumes = new Map(options.records.all().map(({ id, value }) => [id, decodeVolume(id, value)]));
  }

  /** Opens the volumes in `root`, made if need be. Call `recover` before anything else. */
  static open(options: VolumeStoreOptions): VolumeStore {
    ensurePrivateDirectory(options.root);
    return new VolumeStore(options);
  }

  /** Makes a volume; one of that name that is there already is returned as it is, as Docker does. @throws {EngineError} invalid, not-found */
  async create(request: VolumeRequest): Promise<Volume> {
    const { name = newId(), labels = {}, driver = "local", anonymousFor, options = {} } = request;
    checkName(name);
    if (driver !== "local" && driver !== "") {
      throw new EngineError(
        "not-found",
        `error looking up volume plugin ${driver}: plugin "${driver}" not found`,
      );
    }
    const [option] = Object.keys(options);
    if (option !== undefined) {
      throw new EngineError("unsupported", `create ${name}: the local driver takes no option "${option}"`);
    }
    const present = this.#volumes.get(name);
    if (present !== undefined) return present;
    const volume: Volume = {
      name,
      driver: "local",
      labels: request.name === undefined ? { ...labels, [ANONYMOUS_LABEL]: "" } : { ...labels },
      createdAt: this.#clock(),
      ...(anonymousFor !== undefined && { anonymousFor }),
    };
    this.#makeFolder(name);
    this.#put(volume);
    return volume;
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
    this.get(name);
    this.#volumes.delete(name);
    this.#table.remove(name);
    this.#trash.discard(join(this.#root, name));
  }

  /** What its files take on disk. */
  async usage(name: string): Promise<{ readonly sizeBytes: number }> {
    return await diskUsage(this.path(name));
  }

  /** Its data directory on this host. */
  path(name: string): string {
    checkName(name);
    return join(this.#root, name, DATA);
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

  /**
   * At start: a volume whose record was lost is taken up again, so that no data is; a folder of an unfinished creation is
   * removed.
   */
  async recover(): Promise<void> {
    for (const { name } of this.list()) this.#makeFolder(name);
    for (const name of readdirSync(this.#root)) {
      if (name === TRASH || this.#volumes.has(name)) continue;
      const data = join(this.#root, name, DATA);
      const isWorth = NAME.test(name) && existsSync(data) && readdirSync(data).length > 0;
      if (isWorth) this.#put({ name, driver: "local", labels: {}, createdAt: this.#clock() });
      else this.#trash.discard(join(this.#root, name));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trash[Symbol.asyncDispose]();
  }

  #put(volume: Volume): void {
    const { name, ...value } = volume;
    this.#table.put(name, value);
    this.#volumes.set(name, volume);
  }

  #makeFolder(name: string): void {
    if (existsSync(this.path(name))) return;
    ensurePrivateDirectory(join(this.#root, name));
    mkdirSync(this.path(name));
    // Whatever our umask: users of the container enter it.
    chmodSync(this.path(name), 0o755);
  }
}

/** Docker's rule and words (`daemon/volume/local`). @throws {EngineError} invalid */
function checkName(name: string): void {
  if (name.length === 1) {
    throw new EngineError(
      "invalid",
      "volume name is too short, names should be at least two alphanumeric characters",
    );
  }
  if (NAME.test(name) && name.length <= MAX_NAME) return;
  throw new EngineError(
    "invalid",
    `"${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ` +
      "If you intended to pass a host directory, use absolute path",
  );
}

function decodeVolume(name: string, value: unknown): Volume {
  const fields = new Fields(value, `volume ${name}`);
  const anonymousFor = fields.string("anonymousFor");
  return {
    name,
    driver: "local",
    labels: Object.fromEntries(fields.stringMap("labels") ?? []),
    createdAt: fields.integer("createdAt") ?? 0,
    ...(anonymousFor !== undefined && { anonymousFor }),
  };
}
