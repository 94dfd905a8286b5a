import { posix } from "node:path";
import { EngineError } from "#base/errors.ts";
import { readAccountFiles } from "#runtime/account-files.ts";
import { resolveUser } from "#runtime/spec/user.ts";
import { type SelectedRoot, selectFiles } from "../context/select.ts";
import type { SourceTree } from "../context/source-tree.ts";
import type { CopyOperation, CopySource } from "../graph/copy-operation.ts";
import { isGlob } from "#base/glob.ts";
import { isArchive, unpackArchive } from "./archive.ts";
import type { StepRoot } from "./host.ts";
import { FileWriter, type Owner, type WriteOptions } from "./file-writer.ts";

/** Gives the tree that a source is read from. */
export type OpenTree = (source: Exclude<CopySource, { from: "text" }>) => Promise<SourceTree>;

interface Copy {
  readonly root: StepRoot;
  readonly operation: CopyOperation;
  readonly writer: FileWriter;
  readonly options: WriteOptions;
  readonly isDirectory: boolean;
  readonly signal: AbortSignal;
}

/** COPY and ADD, into the file system at `root`. @throws {EngineError} invalid, in Docker's words */
export async function copyFiles(
  root: StepRoot,
  { operation, openTree }: { readonly operation: CopyOperation; readonly openTree: OpenTree },
  signal: AbortSignal,
): Promise<void> {
  const options = writeOptions(root, operation);
  const writer = new FileWriter(root, options);
  const selected: { source: CopySource; tree?: SourceTree; roots: SelectedRoot[] }[] = [];
  for (const source of operation.sources) {
    if (source.from === "text") selected.push({ source, roots: [] });
    else {
      const tree = await openTree(source);
      selected.push({ source, tree, roots: selectFiles(tree, { ...operation, path: source.path }) });
    }
  }
  const count = selected.reduce(
    (sum, { source, roots }) => sum + (source.from === "text" ? 1 : roots.length),
    0,
  );
  if (count === 0)
    throw new EngineError("invalid", "COPY failed: no source files were specified: no file matches");
  const isDirectory = isDirectoryWanted(operation, count);
  const copy: Copy = { root, operation, writer, options, isDirectory, signal };
  for (const { source, tree, roots } of selected) {
    if (source.from === "text") await writeText(copy, source);
    else if (tree !== undefined) for (const one of roots) await copyRoot(copy, tree, one);
  }
  writer.finish();
}

/** Who owns files: names are looked up in the very file system that is written to. */
export function ownerOf(root: StepRoot, chown: string): Owner {
  const [user = "", group] = chown.split(":", 2);
  const { uid, gid } = resolveUser(readAccountFiles(root), chown);
  // a number alone is its own group: `--chown=55` is 55:55
  return { uid, gid: group === undefined && /^\d+$/.test(user) ? uid : gid };
}

function writeOptions(root: StepRoot, { chown, chmod }: CopyOperation): WriteOptions {
  return { ...(chown !== undefined && { owner: ownerOf(root, chown) }), ...(chmod && { chmod }) };
}

/** Several sources, wildcards and a slash at the end mean a directory, whatever is there. */
function isDirectoryWanted({ destination, sources, keepsParents }: CopyOperation, count: number): boolean {
  const hasWildcard = sources.some((source) => source.from !== "text" && isGlob(source.path));
  return destination.endsWith("/") || count > 1 || hasWildcard || keepsParents;
}

async function copyRoot(copy: Copy, tree: SourceTree, selected: SelectedRoot): Promise<void> {
  const { operation, writer, signal } = copy;
  const { entry, name, below } = selected;
  signal.throwIfAborted();
  if (entry.type !== "directory") {
    if (
      operation.unpack === "auto" &&
      entry.type === "file" &&
      (await isArchive(tree.read(entry), entry.path))
    ) {
      const directory = operation.destination;
      await unpackArchive(
        copy.root,
        { content: tree.read(entry), name: entry.path, directory },
        copy.options,
      );
      return;
    }
    const path = filePath(copy, name);
    writer.ensureDirectory(posix.dirname(path));
    return await writer.write(path, { entry, content: tree.read(entry) });
  }
  const directory = operation.keepsParents ? posix.join(operation.destination, name) : operation.destination;
  const found = copy.root.find(directory, { follow: true });
  if (found !== undefined && found.type !== "directory") {
    throw new EngineError("invalid", `cannot copy to non-directory: ${directory}`);
  }
  writer.ensureDirectory(directory);
  for (const file of below) {
    signal.throwIfAborted();
    await writer.write(posix.join(directory, file.path), {
      entry: file.entry,
      ...(file.entry.type === "file" && { content: tree.read(file.entry) }),
    });
  }
}

async function writeText(copy: Copy, { name, text }: Extract<CopySource, { from: "text" }>): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  const path = filePath(copy, name);
  copy.writer.ensureDirectory(posix.dirname(path));
  await copy.writer.write(path, {
    entry: {
      type: "file",
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: bytes.byteLength,
      mtimeNs: 0n,
      xattrs: new Map(),
    },
    content: once(bytes),
  });
}

/** Where a file goes: into the directory, or to the very path when nothing says that it is one. */
function filePath({ root, operation: { destination }, isDirectory }: Copy, name: string): string {
  if (isDirectory || root.find(destination, { follow: true })?.type === "directory") {
    return posix.join(destination, name);
  }
  return destination;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
