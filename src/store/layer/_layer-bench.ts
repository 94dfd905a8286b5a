import { readlinkSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLogger } from "#base/log.ts";
import { MNT_DETACH } from "#linux/constants.ts";
import type { RootDirectory } from "#linux/root-directory.ts";
import { openKernel } from "#linux/real-kernel.ts";
import type { ChainId, DiffId } from "#oci/digest.ts";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { type TarBody, writeTar } from "#oci/tar/tar-writer.ts";
import { gather, temporaryFolder } from "../_fixtures.ts";
import { IN_MEMORY, openDatabase } from "../metadata/database.ts";
import { OverlaySnapshotter } from "../snapshot/overlay-snapshotter.ts";
import type { LayerDraft } from "../snapshot/snapshotter.ts";
import type { ModelEntry, ModelNode, ModelTree } from "./_reference-model.ts";
import { writePending } from "./pending.ts";
import { walkTree } from "./tree-entries.ts";
import { unpack } from "./unpack.ts";

export const kernel = openKernel();

/** A bench for layers: real snapshots in a temporary folder, and tars to unpack into them. */
export interface LayerBench extends AsyncDisposable {
  readonly folder: string;
  readonly snapshotter: OverlaySnapshotter;
  /** Unpacks a tar into a new draft, in this process. */
  unpackDraft(tar: Uint8Array): Promise<{ draft: LayerDraft; diffId: DiffId; sizeBytes: number }>;
  /** Unpacks a tar and commits it as `chainId`. */
  addLayer(tar: Uint8Array, chainId: ChainId, parent: ChainId | undefined): Promise<DiffId>;
  /** Runs `work` on a read-only view. */
  view<T>(chainId: ChainId, work: (path: string) => T): T;
}

export function openLayerBench(): LayerBench {
  const folder = temporaryFolder();
  let tars = 0;
  const snapshotter = OverlaySnapshotter.open({
    root: folder.at("snapshots"),
    records: openDatabase(IN_MEMORY).documents("snapshots"),
    kernel,
    log: silentLogger,
    trashDelayMs: 60_000,
  });
  const unpackDraft: LayerBench["unpackDraft"] = async (tar) => {
    const blob = folder.at(`${++tars}.tar`);
    writeFileSync(blob, tar);
    const draft = await snapshotter.draft();
    using root = kernel.openRoot(draft.path);
    const { pending, ...unpacked } = await unpack(root, { blob, compression: "none" });
    writePending(draft.path, pending);
    return { draft, ...unpacked };
  };
  return {
    folder: folder.path,
    snapshotter,
    unpackDraft,
    addLayer: async (tar, chainId, parent) => {
      const { draft, ...facts } = await unpackDraft(tar);
      await using _dropped = draft;
      await draft.commit({ chainId, parent, ...facts });
      return facts.diffId;
    },
    view: (chainId, work) => {
      const target = folder.at("view");
      snapshotter.mountView(chainId, target);
      try {
        return work(target);
      } finally {
        kernel.unmount(target, MNT_DETACH);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await snapshotter[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

export async function tarOf(...entries: (readonly [TarEntry, TarBody?])[]): Promise<Uint8Array> {
  return await gather(writeTar(entries));
}

export async function tarOfModel(layer: readonly ModelEntry[]): Promise<Uint8Array> {
  return await tarOf(...layer.map(({ entry, content }) => [entry, [Buffer.from(content)]] as const));
}

/** The tree below `path` as the model has it. */
export function modelOf(path: string): ModelTree {
  using root: RootDirectory = kernel.openRoot(path);
  const tree = new Map<string, ModelNode>();
  for (const { path: at, stat } of walkTree(root)) {
    if (at === "" || (stat.type !== "file" && stat.type !== "directory" && stat.type !== "symlink")) continue;
    const full = join(path, at);
    const content =
      stat.type === "file" ? readFileSync(full, "utf8") : stat.type === "symlink" ? readlinkSync(full) : "";
    tree.set(at, { type: stat.type, mode: stat.mode, uid: stat.uid, content });
  }
  return tree;
}
