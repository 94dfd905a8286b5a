import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "#base/log.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { ContentStore } from "#store/content/content-store.ts";
import { applyLayer } from "#store/layer/apply.ts";
import { IN_MEMORY, openDatabase } from "#store/metadata/database.ts";
import { collectGarbage } from "#store/metadata/garbage.ts";
import { OverlaySnapshotter } from "#store/snapshot/overlay-snapshotter.ts";
import { ImageStore } from "../image-store.ts";
import { NO_SIGNAL } from "./streams.ts";

/** Images on the stores of a real engine: overlayfs, worker processes, garbage collection. Needs root. */
export interface RealImages extends AsyncDisposable {
  readonly images: ImageStore;
  readonly content: ContentStore;
  readonly snapshots: OverlaySnapshotter;
  readonly root: string;
}

export async function openRealImages(): Promise<RealImages> {
  const root = mkdtempSync(join(tmpdir(), "darse-image-"));
  const content = await ContentStore.open(join(root, "content"));
  const database = openDatabase(IN_MEMORY);
  const snapshots = OverlaySnapshotter.open({
    root: join(root, "snapshots"),
    records: database.documents("snapshots"),
    kernel: openKernel(),
    log: silentLogger,
    trashDelayMs: 0,
  });
  const images = await ImageStore.open({
    content,
    snapshots,
    applyLayer,
    records: database,
    emit: () => undefined,
    log: silentLogger,
    applyChanges: async (config) => config,
    collectGarbage: () =>
      collectGarbage({ database, content, snapshots, roots: { digests: [], chainIds: [] } }, NO_SIGNAL),
  });
  return {
    images,
    content,
    snapshots,
    root,
    [Symbol.asyncDispose]: async () => {
      await snapshots[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
