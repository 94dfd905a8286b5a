import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, systemClock } from "#base/clock.ts";
import { KeyedLock } from "#base/lock.ts";
import { ensureDurableFolder } from "#store/durable-file.ts";
import { Blobs } from "./blobs.ts";
import { Layers } from "./layers.ts";
import { FOLDER_MODE, Layout } from "./layout.ts";
import { namesIn } from "./links.ts";
import { ManifestReader } from "./manifest-reader.ts";
import { Manifests } from "./manifests.ts";
import { Uploads } from "./uploads.ts";
import { type Quotas, Usage } from "./usage.ts";

export interface StorageOptions {
  readonly root: string;
  readonly isReadOnly?: boolean;
  readonly quotas?: Quotas;
  readonly maxBlobBytes?: number;
  /** How long a blob that a client was told of is kept for the manifest to follow. */
  readonly graceMs?: number;
  readonly now?: Clock;
}

/** Everything on disk of one registry. */
export interface Storage {
  readonly layout: Layout;
  readonly blobs: Blobs;
  readonly layers: Layers;
  readonly manifests: Manifests;
  readonly reader: ManifestReader;
  readonly uploads: Uploads;
  readonly usage: Usage;
  /** Held, by name, while a repository changes. */
  readonly repositories: KeyedLock;
  readonly graceMs: number;
  readonly now: Clock;
}

export const DEFAULT_GRACE_MS = 60 * 60 * 1000;
export const DEFAULT_MAX_BLOB_BYTES = 128 * 1024 ** 3;

/** Opens the registry in the folder `root`, which is made when it is not there, and counts what it holds. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { graceMs = DEFAULT_GRACE_MS, maxBlobBytes = DEFAULT_MAX_BLOB_BYTES, now = systemClock } = options;
  const layout = new Layout(options.root);
  if (!options.isReadOnly) await prepare(layout);
  const blobs = new Blobs({ layout, now, leaseMs: graceMs });
  const usage = new Usage({ layout, blobs, quotas: options.quotas ?? {} });
  const parts = { layout, blobs, usage, repositories: new KeyedLock() };
  const layers = new Layers(parts);
  const manifests = new Manifests(parts);
  const uploads = new Uploads({ ...parts, layers, now, maxBlobBytes });
  await usage.measure();
  return { ...parts, layers, manifests, uploads, reader: new ManifestReader(layout, blobs), graceMs, now };
}

/** A part of a blob from upstream that nobody has come back to for so long is dropped at start. */
const PART_LIFE_MS = 7 * 24 * 60 * 60 * 1000;

/** What was on its way when a process died is worthless. */
async function prepare(layout: Layout): Promise<void> {
  for (const folder of [layout.blobs, layout.repositories, layout.incoming])
    await ensureDurableFolder(folder, FOLDER_MODE);
  await rm(layout.aside, { recursive: true, force: true });
  await mkdir(layout.aside, { recursive: true, mode: FOLDER_MODE });
  for (const name of await namesIn(layout.incoming)) {
    const path = join(layout.incoming, name);
    if ((await stat(path)).mtimeMs < Date.now() - PART_LIFE_MS) await rm(path);
  }
}
