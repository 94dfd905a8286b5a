import { randomBytes } from "node:crypto";
import { readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import { type Digest, findDigest } from "#oci/digest.ts";
import { ensureDurableFolder, writeDurably } from "#store/durable-file.ts";
import { FILE_MODE, FOLDER_MODE } from "./layout.ts";

/** Gives `path` the text, durably; `aside` is a folder on the same file system. */
export async function writeFileDurably(
  path: string,
  bytes: Uint8Array | string,
  aside: string,
): Promise<void> {
  await ensureFolder(dirname(path));
  await writeDurably(path, bytes, { aside: join(aside, randomBytes(8).toString("hex")), mode: FILE_MODE });
}

/** Makes a folder durably. One above it that a collection takes for empty meanwhile is made again. */
export async function ensureFolder(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ensureDurableFolder(path, FOLDER_MODE);
    } catch (error) {
      if (!isErrno(error, "ENOENT") || attempt === 5) throw error;
    }
  }
}

/** What a link names; `undefined` when there is none. @throws {EngineError} corrupt when it holds something else */
export async function readLink(path: string): Promise<Digest | undefined> {
  const text = await ifPresent(readFile(path, "utf8"));
  if (text === undefined) return undefined;
  const digest = findDigest(text.trim());
  if (digest === undefined) throw new EngineError("corrupt", `Cannot read link ${path}: it holds no digest`);
  return digest;
}

/** When the link was last written or renewed, epoch milliseconds. */
export async function linkTime(path: string): Promise<number | undefined> {
  return (await ifPresent(stat(path)))?.mtimeMs;
}

/** False when there is no such link. */
export async function renewLink(path: string): Promise<boolean> {
  const now = new Date();
  return (await ifPresent(utimes(path, now, now).then(() => true))) ?? false;
}

/** Removes a link with the folder that is its own. Success when it is gone already. */
export async function removeLink(path: string): Promise<void> {
  await rm(dirname(path), { recursive: true, force: true });
}

/** The digests that have a link in a folder such as `_layers`; with folders that lost theirs passed over. */
export async function* listLinks(folder: string): AsyncGenerator<Digest, void, undefined> {
  for (const algorithm of await namesIn(folder)) {
    for (const hex of await namesIn(join(folder, algorithm))) {
      const digest = findDigest(`${algorithm}:${hex}`);
      if (digest === undefined) continue;
      if ((await linkTime(join(folder, algorithm, hex, "link"))) !== undefined) yield digest;
    }
  }
}

/** Names in a folder; none when it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

/** `undefined` when the file is not there. */
export async function ifPresent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
