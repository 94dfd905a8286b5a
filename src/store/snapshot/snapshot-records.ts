import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { type ChainId, parseChainId, parseDiffId } from "#oci/digest.ts";
import type { Snapshot } from "./snapshotter.ts";

/** The table of records that snapshots need; `Database.documents("snapshots")` is one. */
export interface SnapshotTable {
  all(): { readonly id: string; readonly value: unknown }[];
  put(id: string, value: unknown): void;
  remove(id: string): void;
}

/** A committed snapshot and where it lies. */
export interface CommittedRecord extends Snapshot {
  /** Name of its folder. */
  readonly folder: string;
  /** Its root is opaque: nothing of the layers below shows. */
  readonly isOpaque: boolean;
  /** The boot of the machine it was made in, until its files are known to be on disk: another boot may have lost some. */
  readonly volatileIn?: string;
}

export interface ActiveRecord {
  readonly key: string;
  readonly parent?: ChainId;
  readonly folder: string;
}

/** Radix of folder names: short names keep the list of layers short. */
const RADIX = 36;
const ACTIVE = "active:";

/** The records in memory, and on disk behind them: every change is written through before it is visible. */
export class SnapshotRecords {
  readonly #table: SnapshotTable;
  readonly #committed = new Map<ChainId, CommittedRecord>();
  readonly #active = new Map<string, ActiveRecord>();
  #lastFolder = 0;

  constructor(table: SnapshotTable) {
    this.#table = table;
    for (const { id, value } of table.all()) {
      if (id.startsWith(ACTIVE)) this.#load(decodeActive(id.slice(ACTIVE.length), value));
      else this.#load(decodeCommitted(parseChainId(id), value));
    }
  }

  committed(): CommittedRecord[] {
    return [...this.#committed.values()];
  }

  actives(): ActiveRecord[] {
    return [...this.#active.values()];
  }

  findCommitted(chainId: ChainId): CommittedRecord | undefined {
    return this.#committed.get(chainId);
  }

  findActive(key: string): ActiveRecord | undefined {
    return this.#active.get(key);
  }

  /** @throws {EngineError} not-found */
  getActive(key: string): ActiveRecord {
    const record = this.#active.get(key);
    if (record === undefined) {
      throw new EngineError("not-found", `Cannot use snapshot "${key}": there is no active one of that name`);
    }
    return record;
  }

  /** A folder name that no snapshot of ours has had since the oldest one there is. */
  newFolder(): string {
    this.#lastFolder++;
    return this.#lastFolder.toString(RADIX);
  }

  /** The layers a snapshot shows, uppermost first. @throws {EngineError} not-found when one is missing */
  chain(chainId: ChainId | undefined): CommittedRecord[] {
    const records: CommittedRecord[] = [];
    for (let at = chainId; at !== undefined; ) {
      const record = this.#committed.get(at);
      if (record === undefined)
        throw new EngineError("not-found", `Cannot use snapshot ${at}: it is not unpacked`);
      records.push(record);
      at = record.isOpaque ? undefined : record.parent;
    }
    return records;
  }

  /** Who stands directly on a committed snapshot. */
  childrenOf(chainId: ChainId): string[] {
    return [
      ...this.committed()
        .filter(({ parent }) => parent === chainId)
        .map((record) => record.chainId),
      ...this.actives()
        .filter(({ parent }) => parent === chainId)
        .map((record) => record.key),
    ];
  }

  putCommitted(record: CommittedRecord): void {
    const { chainId, ...value } = record;
    this.#table.put(chainId, value);
    this.#committed.set(chainId, record);
  }

  /** Removes the committed ones that `isLost` names, and all that stands on them or on nothing. */
  forgetLost(isLost: (record: CommittedRecord) => boolean): void {
    const isGroundless = ({ parent }: CommittedRecord): boolean =>
      parent !== undefined && !this.#committed.has(parent);
    for (;;) {
      const lost = this.committed().filter((record) => isLost(record) || isGroundless(record));
      if (lost.length === 0) return;
      for (const { chainId } of lost) this.removeCommitted(chainId);
    }
  }

  /** Says that the files of these are on disk for good. */
  markDurable(chainIds: readonly ChainId[]): void {
    for (const chainId of chainIds) {
      const record = this.#committed.get(chainId);
      if (record === undefined) continue;
      const { volatileIn: _boot, ...durable } = record;
      this.putCommitted(durable);
    }
  }

  putActive(record: ActiveRecord): void {
    const { key, ...value } = record;
    this.#table.put(`${ACTIVE}${key}`, value);
    this.#active.set(key, record);
  }

  removeCommitted(chainId: ChainId): void {
    this.#table.remove(chainId);
    this.#committed.delete(chainId);
  }

  removeActive(key: string): void {
    this.#table.remove(`${ACTIVE}${key}`);
    this.#active.delete(key);
  }

  #load(record: CommittedRecord | ActiveRecord): void {
    this.#lastFolder = Math.max(this.#lastFolder, Number.parseInt(record.folder, RADIX));
    if ("key" in record) this.#active.set(record.key, record);
    else this.#committed.set(record.chainId, record);
  }
}

function decodeActive(key: string, value: unknown): ActiveRecord {
  const fields = new Fields(value, `snapshot ${key}`);
  return { key, folder: folderOf(fields), ...parentOf(fields) };
}

function decodeCommitted(chainId: ChainId, value: unknown): CommittedRecord {
  const fields = new Fields(value, `snapshot ${chainId}`);
  const volatileIn = fields.string("volatileIn");
  return {
    chainId,
    ...parentOf(fields),
    diffId: parseDiffId(fields.required("diffId", fields.string("diffId"))),
    sizeBytes: fields.integer("sizeBytes") ?? 0,
    createdAt: fields.integer("createdAt") ?? 0,
    folder: folderOf(fields),
    isOpaque: fields.boolean("isOpaque") ?? false,
    ...(volatileIn !== undefined && { volatileIn }),
  };
}

/** A name of ours, and so nothing that could lead elsewhere. */
function folderOf(fields: Fields): string {
  const folder = fields.required("folder", fields.string("folder"));
  if (/^[0-9a-z]{1,12}$/.test(folder)) return folder;
  throw new EngineError("corrupt", `Cannot read ${fields.pathOf("folder")}: "${folder}" is no name of ours`);
}

function parentOf(fields: Fields): { parent?: ChainId } {
  const parent = fields.string("parent");
  return parent === undefined ? {} : { parent: parseChainId(parent) };
}
