import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { type TarBody, writeTar } from "#oci/tar/tar-writer.ts";
import { readFileChunks } from "../user-files.ts";

type Stat = ReturnType<typeof lstat>;

/**
 * A path of this machine as a tar, a directory with all it holds in the order of names; sockets are left out.
 *
 * @param name of the topmost entry
 */
export function packLocal(path: string, name: string): AsyncGenerator<Uint8Array, void> {
  return writeTar(entriesOf(path, name, new Map()));
}

function* entriesOf(
  path: string,
  name: string,
  links: Map<string, string>,
): Generator<readonly [TarEntry, TarBody?]> {
  const stat = lstat(path);
  if (stat.isSocket()) return;
  const identity = `${stat.dev}:${stat.ino}`;
  const first = stat.isDirectory() || stat.nlink < 2n ? undefined : links.get(identity);
  if (first !== undefined) {
    yield [{ ...facts(stat, name), type: "hardlink", linkName: first, size: 0 }];
    return;
  }
  if (!stat.isDirectory() && stat.nlink > 1n) links.set(identity, name);
  if (stat.isFile()) {
    const size = Number(stat.size);
    yield [{ ...facts(stat, name), type: "file", size }, exactly(readFileChunks(path, size), size)];
  } else yield [special(path, stat, name)];
  if (!stat.isDirectory()) return;
  for (const child of readdirSync(path).toSorted()) {
    yield* entriesOf(join(path, child), `${name}/${child}`, links);
  }
}

function special(path: string, stat: Stat, name: string): TarEntry {
  const common = facts(stat, name);
  if (stat.isDirectory()) return { ...common, type: "directory" };
  if (stat.isSymbolicLink()) return { ...common, type: "symlink", linkName: readlinkSync(path) };
  if (stat.isFIFO()) return { ...common, type: "fifo" };
  const device = {
    major: Number((stat.rdev >> 8n) & 0xfffn),
    minor: Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xfff00n)),
  };
  return { ...common, type: stat.isCharacterDevice() ? "character" : "block", device };
}

function facts(stat: Stat, path: string): Omit<TarEntry, "type"> {
  return {
    path,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: 0,
    mtimeNs: stat.mtimeNs,
    xattrs: new Map(),
  };
}

/** A file that is cut while it is read goes on in zeros: its size was announced. */
async function* exactly(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array, void> {
  let rest = size;
  for await (const chunk of source) {
    rest -= chunk.length;
    yield chunk;
  }
  while (rest > 0) {
    const zeros = new Uint8Array(Math.min(rest, 1024 * 1024));
    rest -= zeros.length;
    yield zeros;
  }
}

function lstat(path: string) {
  return lstatSync(path, { bigint: true });
}
