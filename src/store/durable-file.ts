import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

/** Makes `path` and what is missing above it, durably: every folder that got a new name is flushed. Idempotent. */
export async function ensureDurableFolder(path: string, mode: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first) return;
  }
}

export interface DurableWrite {
  /** Where it is written first: a path on the same file system, which must not exist. */
  readonly aside: string;
  readonly mode: number;
}

/** Gives `path` the bytes: written aside, flushed, renamed, folder flushed. An old file of that name is replaced. */
export async function writeDurably(
  path: string,
  bytes: Uint8Array | string,
  { aside, mode }: DurableWrite,
): Promise<void> {
  const file = await open(aside, "wx", mode);
  try {
    await writeAndClose(file, bytes);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

async function writeAndClose(file: FileHandle, bytes: Uint8Array | string): Promise<void> {
  await using open = file;
  await open.writeFile(bytes);
  await open.sync();
}
