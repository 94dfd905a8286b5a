import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { findRepositoryName, type RepositoryName } from "../names.ts";
import type { Layout } from "./layout.ts";
import { ifPresent } from "./links.ts";

interface Found {
  readonly name: RepositoryName;
  /** Its own folders: `_layers`, `_manifests`, `_uploads`. */
  readonly folders: readonly string[];
}

/**
 * The repositories after `last` that have had an image, in order of their names part by part (`a/b` before `a-b`),
 * found as they are asked for: the walk goes down only where something may follow.
 */
export async function* repositoriesAfter(
  layout: Layout,
  last = "",
): AsyncGenerator<RepositoryName, void, undefined> {
  for await (const { name, folders } of walk(layout.repositories, [], last === "" ? [] : last.split("/"))) {
    if (holdsImages(folders) && name !== last) yield name;
  }
}

/** Every repository, those that were only begun included. */
export async function* everyRepository(layout: Layout): AsyncGenerator<RepositoryName, void, undefined> {
  for await (const { name } of walk(layout.repositories, [], [])) yield name;
}

/** True for the names in a repository's folder when it has had a manifest or a blob. */
export function holdsImages(names: readonly string[]): boolean {
  return names.includes("_manifests") || names.includes("_layers");
}

async function* walk(
  folder: string,
  parts: readonly string[],
  after: readonly string[],
): AsyncGenerator<Found, void, undefined> {
  const entries = (await ifPresent(readdir(folder, { withFileTypes: true }))) ?? [];
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const name = findRepositoryName(parts.join("/"));
  const folders = names.filter((entry) => entry.startsWith("_"));
  const [bound, ...rest] = after;
  if (name !== undefined && bound === undefined && folders.length > 0) yield { name, folders };
  const below = names.filter((entry) => !entry.startsWith("_") && entry >= (bound ?? ""));
  for (const part of below.toSorted()) {
    yield* walk(join(folder, part), [...parts, part], part === bound ? rest : []);
  }
}
