import { access, mkdir } from "node:fs/promises";
import { EngineError, isErrno } from "#base/errors.ts";
import { humanSize } from "#base/sizes.ts";
import { askForCollection } from "./control.ts";
import type { LockFile } from "./folder-lock.ts";
import { DEFAULT_ROOT, type Flags, type FlagTable, milliseconds, rootOf } from "./options.ts";
import { type Collected, Collector, DEFAULT_UPLOAD_EXPIRY_MS } from "./storage/collector.ts";
import { FOLDER_MODE, Layout } from "./storage/layout.ts";
import { DEFAULT_GRACE_MS, openStorage } from "./storage/storage.ts";

export const GC_FLAGS: FlagTable = {
  "dry-run": { type: "boolean" },
  grace: { type: "string" },
  root: { type: "string" },
  untagged: { type: "boolean" },
  "upload-expiry": { type: "string" },
};

export const GC_USAGE = `Usage:  darse registry gc [OPTIONS]

Remove what no manifest names. A server that runs on the folder does it while it serves

Options:
      --dry-run                  Only say what would go
      --grace duration           Keep what was pushed within this; a running server has its own (default 1h)
      --root string              Folder of the registry's files (default "${DEFAULT_ROOT}")
      --untagged                 Remove manifests that no tag reaches, too
      --upload-expiry duration   Drop uploads that were left so long; a running server has its own (default 24h)
`;

/** Collects, by the server of the folder or without one, and gives a line to print. */
export async function collectGarbage(flags: Flags, lock: LockFile): Promise<string> {
  const root = rootOf(flags);
  const layout = new Layout(root);
  await checkRegistry(layout);
  const wish = { withUntagged: flags["untagged"] === true, isDryRun: flags["dry-run"] === true };
  using held = lock(layout.lock);
  if (held === undefined) return report(await askForCollection(layout.controlSocket, wish), wish.isDryRun);
  const storage = await openStorage({ root, graceMs: milliseconds(flags, "grace") ?? DEFAULT_GRACE_MS });
  const uploadExpiryMs = milliseconds(flags, "upload-expiry") ?? DEFAULT_UPLOAD_EXPIRY_MS;
  const collected = await new Collector(storage).collect(
    { ...wish, uploadExpiryMs },
    new AbortController().signal,
  );
  return report(collected, wish.isDryRun);
}

/** A wrong `--root` must not become a new registry. @throws {EngineError} not-found */
async function checkRegistry({ root, repositories, own }: Layout): Promise<void> {
  try {
    await access(repositories);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTDIR")) throw error;
    throw new EngineError("not-found", `Cannot collect in ${root}: there is no registry in that folder`, {
      cause: error,
    });
  }
  await mkdir(own, { recursive: true, mode: FOLDER_MODE });
}

function report({ manifests, links, blobs, bytes, uploads }: Collected, isDryRun: boolean): string {
  const verb = isDryRun ? "Would remove" : "Removed";
  return `${verb} ${blobs} blobs (${humanSize(bytes)}), ${manifests} untagged manifests, ${links} links, ${uploads} abandoned uploads\n`;
}
