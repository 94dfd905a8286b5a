import { EngineError } from "#base/errors.ts";
import { IgnorePatterns, parseIgnoreFile } from "#base/ignore-patterns.ts";
import { nearMatch } from "#base/near-match.ts";
import { type Digest, Digester } from "#oci/digest.ts";
import { pathComponents, quoted, type TarEntry } from "#oci/tar/tar-entry.ts";
import { readTar, type TarEntryWithBody } from "#oci/tar/tar-reader.ts";
import { findNode, ignoreNodes, type Node, newDirectory } from "./context-nodes.ts";
import { byBytes, type SourceTree, type TreeEntry } from "./source-tree.ts";
import { type Extent, Spool } from "./spool.ts";

/** A file named on the way to a build, such as the Dockerfile, is read up to this size. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** Attributes that a context may set; all others are the sender's own business. */
const KEPT_XATTR = /^user\.|^security\.capability$/;

/**
 * The files a client sent for a build. They are never unpacked: names, kinds and digests are in memory, contents in one
 * spool, so that nothing an archive says reaches a path of the host. Owners are dropped, as every builder does.
 */
export class BuildContext implements SourceTree, AsyncDisposable {
  readonly name = "the build context";
  readonly #root: Node;
  readonly #spool: Spool;

  private constructor(root: Node, spool: Spool) {
    this.#root = root;
    this.#spool = spool;
  }

  /**
   * Reads a plain tar to its end.
   *
   * @param folder where large contexts are spooled
   * @throws {EngineError} invalid for an archive that climbs, repeats a name or writes through a link
   */
  static async read(
    source: AsyncIterable<Uint8Array>,
    folder: string,
    signal: AbortSignal,
  ): Promise<BuildContext> {
    await using stack = new AsyncDisposableStack();
    const spool = stack.use(new Spool(folder));
    const root = newDirectory();
    for await (const entry of readTar(source)) {
      signal.throwIfAborted();
      await addEntry(root, entry, spool);
    }
    stack.move();
    return new BuildContext(root, spool);
  }

  /** @throws {EngineError} not-found, with a near match; invalid when it is no regular file or too large */
  async readText(path: string): Promise<string> {
    const entry = this.find(path, { follow: true });
    if (entry === undefined) {
      const near = nearMatch(path, this.#root.children?.keys() ?? []);
      throw new EngineError("invalid", `Cannot locate specified Dockerfile: ${path}`, {
        hint: near === undefined ? "name the file with -f" : `did you mean ${near}?`,
      });
    }
    if (entry.type !== "file" || entry.size > MAX_TEXT_BYTES) {
      const state =
        entry.type === "file"
          ? `it has ${entry.size} bytes, more than ${MAX_TEXT_BYTES}`
          : `it is a ${entry.type}`;
      throw new EngineError("invalid", `Cannot read ${path} of the build context: ${state}`);
    }
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of this.read(entry)) text += decoder.decode(chunk, { stream: true });
    return text + decoder.decode();
  }

  /**
   * Drops what `<dockerfile>.dockerignore`, or else `.dockerignore`, says is no part of the context.
   *
   * @throws {EngineError} invalid for a pattern that does not parse
   */
  async applyIgnoreFile(dockerfile: string): Promise<void> {
    for (const name of [`${dockerfile}.dockerignore`, ".dockerignore"]) {
      if (this.find(name, { follow: true })?.type !== "file") continue;
      ignoreNodes(this.#root, new IgnorePatterns(parseIgnoreFile(await this.readText(name))));
      return;
    }
  }

  find(path: string, { follow }: { readonly follow: boolean }): TreeEntry | undefined {
    const found = findNode(this.#root, path, follow);
    if (found === undefined) return undefined;
    const { path: at, node } = found;
    return { ...node.attributes, path: at };
  }

  list(directory: TreeEntry): readonly string[] {
    const children = findNode(this.#root, directory.path, false)?.node.children;
    return [...(children?.keys() ?? [])].toSorted(byBytes);
  }

  read(file: TreeEntry): AsyncIterable<Uint8Array> {
    return this.#spool.read(this.#contentOf(file).extent);
  }

  digest(file: TreeEntry): Digest {
    return this.#contentOf(file).digest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spool[Symbol.asyncDispose]();
  }

  #contentOf(file: TreeEntry): { readonly extent: Extent; readonly digest: Digest } {
    const content = findNode(this.#root, file.path, false)?.node.content;
    if (content === undefined) throw new Error(`the build context has no file ${file.path}`);
    return content;
  }
}

async function addEntry(root: Node, entry: TarEntryWithBody, spool: Spool): Promise<void> {
  const components = pathComponents(entry.path);
  const name = components.at(-1);
  if (name === undefined) return;
  const parent = directoryOf(root, components.slice(0, -1), entry);
  const existing = parent.children?.get(name);
  if (existing !== undefined) {
    if (existing.children !== undefined && entry.type === "directory") {
      existing.attributes = attributesOf(entry);
      return;
    }
    throw new EngineError(
      "invalid",
      `Cannot use tar entry ${quoted(entry.path)} of the build context: the name stands there twice`,
    );
  }
  parent.children?.set(name, await newNode(root, entry, spool));
}

async function newNode(root: Node, entry: TarEntryWithBody, spool: Spool): Promise<Node> {
  if (entry.type === "directory") return newDirectory(attributesOf(entry));
  if (entry.type === "hardlink") return linkedNode(root, entry);
  if (entry.type !== "file") return { attributes: attributesOf(entry) };
  const offset = spool.size;
  const digester = new Digester();
  for await (const chunk of entry.body) {
    digester.update(chunk);
    await spool.append(chunk);
  }
  const extent = { offset, size: spool.size - offset };
  return { attributes: attributesOf(entry), content: { extent, digest: digester.digest() } };
}

/** Directories that the archive leaves out are made; a link or a file in their place is refused. */
function directoryOf(root: Node, components: readonly string[], entry: TarEntry): Node {
  let node = root;
  for (const component of components) {
    let next = node.children?.get(component);
    if (next === undefined) {
      next = newDirectory();
      node.children?.set(component, next);
    }
    if (next.children === undefined) {
      throw new EngineError(
        "invalid",
        `Cannot use tar entry ${quoted(entry.path)} of the build context: ${quoted(component)} on its way is no directory`,
      );
    }
    node = next;
  }
  return node;
}

function linkedNode(root: Node, entry: TarEntry): Node {
  let node: Node | undefined = root;
  for (const component of pathComponents(entry.linkName ?? "")) node = node?.children?.get(component);
  if (node?.content !== undefined) return node;
  throw new EngineError(
    "invalid",
    `Cannot use tar entry ${quoted(entry.path)} of the build context: it links to ${quoted(entry.linkName ?? "")}, which is no file before it`,
  );
}

function attributesOf(entry: TarEntry): Node["attributes"] {
  if (entry.type === "hardlink") throw new Error("a hard link has the attributes of its file");
  const { type, mode, size, mtimeNs, linkName, device } = entry;
  return {
    type,
    mode,
    uid: 0,
    gid: 0,
    size,
    mtimeNs,
    ...(type === "symlink" && { linkName: linkName ?? "" }),
    ...(device && { device }),
    xattrs: new Map([...entry.xattrs].filter(([name]) => KEPT_XATTR.test(name))),
  };
}
