import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "#base/errors.ts";
import type { Usage } from "./snapshotter.ts";

/** As `struct stat` counts blocks, whatever the file system's own. */
const STAT_BLOCK_BYTES = 512;

/** What the tree below `path` takes on disk, as `du` counts; files that vanish meanwhile count as nothing. */
export async function diskUsage(path: string): Promise<Usage> {
  const seen = new Set<bigint>();
  let sizeBytes = 0;
  const waiting = [path];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const name of await readdir(folder).catch(ignoreVanished)) {
      const child = join(folder, name);
      const stat = await lstat(child, { bigint: true }).catch(ignoreVanished);
      if (!("ino" in stat) || seen.has(stat.ino)) continue;
      seen.add(stat.ino);
      sizeBytes += Number(stat.blocks) * STAT_BLOCK_BYTES;
      if (stat.isDirectory()) waiting.push(child);
    }
  }
  return { sizeBytes, inodes: seen.size };
}

function ignoreVanished(error: unknown): never[] {
  if (isErrno(error, "ENOENT", "ENOTDIR")) return [];
  throw error;
}
