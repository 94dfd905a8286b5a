import { closeSync } from "node:fs";
import { EngineError } from "#base/errors.ts";
import { pathComponents, quoted, type TarEntry } from "#oci/tar/tar-entry.ts";
import { readTar, type TarEntryWithBody } from "#oci/tar/tar-reader.ts";
import { renameEntry } from "./copy-plan.ts";
import { LocalTree, setFdAttributes, writeAll } from "./local-tree.ts";

export interface UnpackTarget {
  /** It exists. */
  readonly directory: string;
  /** What the archive's topmost entry is called, and what it is to be called. */
  readonly from: string;
  readonly to: string;
  /** Owners and set-id bits come along, where we may set them; else all is ours. */
  readonly keepsOwner: boolean;
  /** Told of what cannot be made here. */
  readonly warn: (text: string) => void;
}

/**
 * Unpacks a container's archive into a folder of this machine. Files replace files; directories and other things do not
 * replace each other. Devices and FIFOs are left out.
 *
 * @throws {EngineError} invalid for a broken or hostile archive
 */
export async function unpackLocal(archive: AsyncIterable<Uint8Array>, target: UnpackTarget): Promise<void> {
  using tree = new LocalTree(target.directory);
  const directories: { readonly components: readonly string[]; readonly entry: TarEntry }[] = [];
  for await (const entry of readTar(archive)) {
    const components = pathComponents(renameEntry(entry.path, target.from, target.to));
    if (components.length === 0) continue;
    refuseTypeChange(tree, components, entry);
    if (entry.type === "directory") {
      if (tree.find(components) === undefined) tree.mkdir(components);
      directories.push({ components, entry });
    } else await writeEntry(tree, components, { entry, target });
  }
  // Last: what is written into a directory changes its times, and its mode may forbid the writing.
  for (const { components, entry } of directories.toReversed()) {
    tree.setAttributes(components, entry, target.keepsOwner);
  }
}

function refuseTypeChange(tree: LocalTree, components: readonly string[], entry: TarEntry): void {
  const found = tree.find(components);
  if (found === undefined || (found === "directory") === (entry.type === "directory")) return;
  const [old, fresh] =
    found === "directory" ? ["directory", "non-directory"] : ["non-directory", "directory"];
  throw new EngineError(
    "invalid",
    `cannot overwrite ${old} ${quoted(components.join("/"))} with ${fresh} ${quoted(entry.path)}`,
  );
}

async function writeEntry(
  tree: LocalTree,
  components: readonly string[],
  { entry, target }: { entry: TarEntryWithBody; target: UnpackTarget },
): Promise<void> {
  if (entry.type === "character" || entry.type === "block" || entry.type === "fifo") {
    return target.warn(`left out ${quoted(entry.path)}: it is a ${entry.type} special file\n`);
  }
  if (tree.find(components) !== undefined) tree.unlink(components);
  if (entry.type === "symlink") {
    tree.symlink(entry.linkName ?? "", components);
    return tree.setAttributes(components, entry, target.keepsOwner);
  }
  if (entry.type === "hardlink") {
    const existing = pathComponents(renameEntry(entry.linkName ?? "", target.from, target.to));
    return tree.link(existing, components);
  }
  const fd = tree.create(components);
  try {
    for await (const chunk of entry.body) writeAll(fd, chunk);
    setFdAttributes(fd, entry, target.keepsOwner);
  } finally {
    closeSync(fd);
  }
}
