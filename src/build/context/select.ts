import { posix } from "node:path";
import { EngineError } from "#base/errors.ts";
import { Glob, isGlob } from "#base/glob.ts";
import { IgnorePatterns } from "#base/ignore-patterns.ts";
import { nearMatch } from "#base/near-match.ts";
import { type Digest, digestOf } from "#oci/digest.ts";
import type { Selection } from "../graph/sources.ts";
import { canonical } from "../graph/vertex.ts";
import type { SourceTree, TreeEntry } from "./source-tree.ts";

/** What one source of a COPY comes to: a file, or a directory whose content is meant. */
export interface SelectedRoot {
  readonly entry: TreeEntry;
  /** The name it gets in a directory; with `--parents` the path it keeps. */
  readonly name: string;
  /** The files below, without the root: parents before their children. Paths are relative to the root. */
  readonly below: readonly { readonly path: string; readonly entry: TreeEntry }[];
}

/** Deepest directory that is walked. */
const MAX_DEPTH = 512;

/**
 * The files that a source of COPY or ADD means. Wildcards are Go's, `**` only with `--parents`; a symlink that is
 * itself a source is followed inside the tree, those below are kept.
 *
 * @returns nothing only for a wildcard
 * @throws {EngineError} not-found, in Docker's words
 */
export function selectFiles(tree: SourceTree, selection: Selection): SelectedRoot[] {
  const { start, pattern } = splitPivot(selection);
  const paths = isGlob(pattern)
    ? expandPattern(tree, start, { pattern, isDeep: selection.keepsParents })
    : [pattern];
  const excludes = new IgnorePatterns(selection.excludes);
  return paths.flatMap((path): SelectedRoot[] => {
    const full = posix.join("/", start, path);
    const entry = tree.find(full, { follow: true });
    if (entry === undefined) {
      if (isGlob(pattern)) return [];
      throw notFound(tree, full);
    }
    const kept = posix.join("/", path).slice(1);
    const name = selection.keepsParents ? kept : posix.basename(full);
    if (entry.type !== "directory")
      return excludes.isIgnored(posix.basename(full)) ? [] : [{ entry, name, below: [] }];
    const below: { path: string; entry: TreeEntry }[] = [];
    walk(tree, entry, { prefix: "", excludes, below, depth: 0 });
    return [{ entry, name, below }];
  });
}

/** One digest for one content: names, kinds, modes, owners, links, attributes and bytes; not times. */
export async function selectionDigest(tree: SourceTree, roots: readonly SelectedRoot[]): Promise<Digest> {
  const files = roots.flatMap(filesOf);
  const contents: (Digest | undefined)[] = [];
  for (const { entry } of files) contents.push(entry.type === "file" ? await tree.digest(entry) : undefined);
  return digestOf(canonical(files.map((file, index) => fingerprint(file, contents[index]))));
}

/** As `selectionDigest`, for a tree that knows the digests of its files. */
export function knownSelectionDigest(
  tree: { digest(file: TreeEntry): Digest },
  roots: readonly SelectedRoot[],
): Digest {
  const files = roots.flatMap(filesOf);
  return digestOf(
    canonical(
      files.map((file) =>
        fingerprint(file, file.entry.type === "file" ? tree.digest(file.entry) : undefined),
      ),
    ),
  );
}

interface NamedEntry {
  readonly name: string;
  readonly entry: TreeEntry;
  readonly isRoot: boolean;
}

function filesOf({ entry, name, below }: SelectedRoot): NamedEntry[] {
  return [
    { name, entry, isRoot: true },
    ...below.map((one) => ({ name: `${name}/${one.path}`, entry: one.entry, isRoot: false })),
  ];
}

/** A directory that is itself a source gives its content only: its own mode and owner do not matter. */
function fingerprint({ name, entry, isRoot }: NamedEntry, content: Digest | undefined): unknown {
  const { type, mode, uid, gid, linkName, device, xattrs } = entry;
  if (isRoot && type === "directory") return [name, type];
  const attributes = [...xattrs].map(([key, value]): [string, string] => [
    key,
    Buffer.from(value).toString("base64"),
  ]);
  return [
    name,
    type,
    mode,
    uid,
    gid,
    linkName ?? null,
    device ?? null,
    Object.fromEntries(attributes),
    content ?? null,
  ];
}

/** With `--parents`, `/./` marks where the part begins that is kept. */
function splitPivot({ path, keepsParents }: Selection): { start: string; pattern: string } {
  const pivot = keepsParents ? path.indexOf("/./") : -1;
  const start = pivot < 0 ? "" : path.slice(0, pivot);
  const rest = pivot < 0 ? path : path.slice(pivot + 3);
  return { start: posix.join("/", start), pattern: posix.join("/", rest).slice(1) };
}

function expandPattern(
  tree: SourceTree,
  start: string,
  { pattern, isDeep }: { readonly pattern: string; readonly isDeep: boolean },
): string[] {
  if (isDeep && pattern.includes("**")) return expandDeep(tree, start, pattern);
  let paths = [""];
  for (const component of pattern.split("/")) {
    const glob = isGlob(component) ? new Glob(component, { globstar: false }) : undefined;
    paths = paths.flatMap((path) => {
      if (glob === undefined) return [posix.join(path, component)];
      const directory = tree.find(posix.join("/", start, path), { follow: true });
      if (directory?.type !== "directory") return [];
      return tree
        .list(directory)
        .filter((name) => glob.matches(name))
        .map((name) => posix.join(path, name));
    });
  }
  return paths;
}

function expandDeep(tree: SourceTree, start: string, pattern: string): string[] {
  const glob = new Glob(pattern, { globstar: true });
  const root = tree.find(start, { follow: true });
  if (root?.type !== "directory") return [];
  const below: { path: string; entry: TreeEntry }[] = [];
  walk(tree, root, { prefix: "", excludes: new IgnorePatterns([]), below, depth: 0 });
  return below.map(({ path }) => path).filter((path) => glob.matches(path));
}

interface Walk {
  readonly prefix: string;
  readonly excludes: IgnorePatterns;
  readonly below: { path: string; entry: TreeEntry }[];
  readonly depth: number;
}

function walk(tree: SourceTree, directory: TreeEntry, { prefix, excludes, below, depth }: Walk): void {
  if (depth > MAX_DEPTH) {
    throw new EngineError(
      "invalid",
      `Cannot copy ${directory.path}: it is more than ${MAX_DEPTH} directories deep`,
    );
  }
  for (const name of tree.list(directory)) {
    const path = prefix + name;
    const entry = tree.find(`${directory.path}/${name}`, { follow: false });
    if (entry === undefined || entry.type === "socket") continue;
    const isIgnored = excludes.isIgnored(path);
    if (entry.type !== "directory") {
      if (!isIgnored) below.push({ path, entry });
      continue;
    }
    if (isIgnored && !excludes.mayKeepBelow(path)) continue;
    const before = below.length;
    below.push({ path, entry });
    walk(tree, entry, { prefix: `${path}/`, excludes, below, depth: depth + 1 });
    if (isIgnored && below.length === before + 1) below.pop();
  }
}

function notFound(tree: SourceTree, path: string): EngineError {
  const shown = path.slice(1) || "/";
  const directory = tree.find(posix.dirname(path), { follow: true });
  const near =
    directory?.type === "directory" ? nearMatch(posix.basename(path), tree.list(directory)) : undefined;
  const where = tree.name === "the build context" ? "build context or excluded by .dockerignore" : tree.name;
  return new EngineError(
    "not-found",
    `COPY failed: file not found in ${where}: stat ${shown}: file does not exist`,
    near === undefined ? {} : { hint: `did you mean ${posix.join(posix.dirname(path), near).slice(1)}?` },
  );
}
