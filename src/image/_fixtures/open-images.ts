import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineEvent } from "#base/event.ts";
import { silentLogger } from "#base/log.ts";
import { type ChainId, Digester } from "#oci/digest.ts";
import { readTar } from "#oci/tar/tar-reader.ts";
import { ContentStore } from "#store/content/content-store.ts";
import { type Database, IN_MEMORY, openDatabase } from "#store/metadata/database.ts";
import { readFileStream } from "./streams.ts";
import { decompressed } from "../decompress.ts";
import { ImageStore, type ImageStoreOptions } from "../image-store.ts";
import type { ApplyLayer, LayerDraft, LayerSnapshots } from "../stores.ts";

/** Images on the real content store and database; snapshots are plain folders, so that no root is needed. */
export interface OpenImages extends AsyncDisposable {
  readonly images: ImageStore;
  readonly content: ContentStore;
  readonly database: Database;
  readonly snapshots: FolderSnapshots;
  readonly events: EngineEvent[];
  /** How often garbage was collected. */
  readonly collections: () => number;
  /** The layers unpacked so far, by blob. */
  readonly applied: string[];
  readonly root: string;
}

export async function openImages(overrides: Partial<ImageStoreOptions> = {}): Promise<OpenImages> {
  const root = mkdtempSync(join(tmpdir(), "darse-image-"));
  const content = await ContentStore.open(join(root, "content"));
  const database = openDatabase(IN_MEMORY);
  const snapshots = new FolderSnapshots(join(root, "snapshots"));
  const events: EngineEvent[] = [];
  const applied: string[] = [];
  let collections = 0;
  const applyLayer: ApplyLayer = async (layer, signal) => {
    applied.push(layer.blob);
    return await applyByCounting(layer, signal);
  };
  const images = await ImageStore.open({
    content,
    snapshots,
    applyLayer,
    records: database,
    emit: (event) => void events.push(event),
    log: silentLogger,
    applyChanges: async (config, changes) => (changes.length === 0 ? config : { ...config, cmd: changes }),
    collectGarbage: async () => {
      collections++;
      return { reclaimedBytes: 7 };
    },
    clock: () => 1_700_000_000_000,
    ...overrides,
  });
  return {
    images,
    content,
    database,
    snapshots,
    events,
    applied,
    root,
    collections: () => collections,
    [Symbol.asyncDispose]: async () => {
      database[Symbol.dispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Reads the layer as the real worker does, writing nothing. */
const applyByCounting: ApplyLayer = async ({ blob, compression }, signal) => {
  const digester = new Digester();
  let sizeBytes = 0;
  const plain = compression === "none" ? readFileStream(blob) : decompressed(readFileStream(blob), "layer");
  const hashed = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of plain) {
      signal.throwIfAborted();
      digester.update(chunk);
      yield chunk;
    }
  };
  for await (const entry of readTar(hashed())) sizeBytes += entry.size;
  return { diffId: asDiffId(digester), sizeBytes };
};

function asDiffId(digester: Digester): Awaited<ReturnType<ApplyLayer>>["diffId"] {
  // a digest of a layer's plain tar is what a diff ID is
  return digester.digest() as Awaited<ReturnType<ApplyLayer>>["diffId"];
}

/** Snapshots without a file system below them: committed chains and open drafts, with the store's rules. */
export class FolderSnapshots implements LayerSnapshots {
  readonly #root: string;
  readonly #committed = new Map<ChainId, { readonly sizeBytes: number }>();
  #drafts = 0;
  openDrafts = 0;
  readonly order: ChainId[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  find(chainId: ChainId): { readonly sizeBytes: number } | undefined {
    return this.#committed.get(chainId);
  }

  async draft(): Promise<LayerDraft> {
    const path = join(this.#root, String(++this.#drafts));
    await mkdir(path, { recursive: true });
    this.openDrafts++;
    let isOpen = true;
    return {
      path,
      commit: async ({ chainId, parent, sizeBytes }) => {
        if (parent !== undefined && !this.#committed.has(parent)) throw new Error(`no parent ${parent}`);
        this.#committed.set(chainId, { sizeBytes });
        this.order.push(chainId);
      },
      [Symbol.asyncDispose]: async () => {
        if (!isOpen) return;
        isOpen = false;
        this.openDrafts--;
        await rm(path, { recursive: true, force: true });
      },
    };
  }
}
