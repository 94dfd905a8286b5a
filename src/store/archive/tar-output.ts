import { closeFd, readFd, writeFd } from "#linux/file-descriptor.ts";
import type { RootDirectory } from "#linux/root-directory.ts";
import { BLOCK_BYTES, paddingAfter, type TarEntry } from "#oci/tar/tar-entry.ts";
import { encodeHeader } from "#oci/tar/tar-writer.ts";
import { entryOf, type TreeFile, unlessGone } from "../layer/tree-entries.ts";

/** As much as is gathered before it is written: a write for each small file would be most of the time. */
const BUFFER_BYTES = 1024 * 1024;

/** Writes files of a tree into a tar, through one buffer, to an open file. Every call is synchronous. */
export class TarOutput {
  readonly #root: RootDirectory;
  readonly #fd: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  /** Files with several names, and the first that was written. */
  readonly #links = new Map<string, string>();
  #length = 0;

  constructor(root: RootDirectory, fd: number) {
    this.#root = root;
    this.#fd = fd;
  }

  /** Adds a file under the name `path`. Passes over sockets, and what is gone by now. */
  add(file: TreeFile, path: string): void {
    const entry = entryOf(this.#root, file);
    if (entry === undefined) return;
    const first = this.#firstName(file, path);
    if (first !== undefined) return this.#header(asLink({ ...entry, path }, first));
    if (entry.type === "file" && entry.size > 0) this.#file({ ...entry, path }, file.path);
    else this.#header({ ...entry, path });
  }

  /** Writes the end mark and what is held. */
  finish(): void {
    this.#put(new Uint8Array(2 * BLOCK_BYTES));
    this.#flush();
  }

  #firstName({ stat }: TreeFile, path: string): string | undefined {
    if (stat.type === "directory" || stat.links < 2) return undefined;
    const identity = `${stat.device.major}:${stat.device.minor}:${stat.inode}`;
    const first = this.#links.get(identity);
    if (first === undefined) this.#links.set(identity, path);
    return first;
  }

  /** Exactly the bytes announced: what is added meanwhile is left out, what is cut off becomes zeros. */
  #file(entry: TarEntry, pathInRoot: string): void {
    const fd = unlessGone(() => this.#root.openRegular(pathInRoot));
    if (fd === undefined) return;
    try {
      this.#header(entry);
      for (let rest = entry.size; rest > 0; ) {
        if (this.#length === BUFFER_BYTES) this.#flush();
        const part = this.#buffer.subarray(this.#length, this.#length + rest);
        const length = readFd(fd, part) || part.fill(0).length;
        this.#length += length;
        rest -= length;
      }
    } finally {
      closeFd(fd);
    }
    this.#put(new Uint8Array(paddingAfter(entry.size)));
  }

  #header(entry: TarEntry): void {
    this.#put(encodeHeader(entry));
  }

  #put(bytes: Uint8Array): void {
    if (bytes.length > BUFFER_BYTES - this.#length) this.#flush();
    if (bytes.length > BUFFER_BYTES) return writeFd(this.#fd, bytes);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #flush(): void {
    writeFd(this.#fd, this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }
}

function asLink(entry: TarEntry, first: string): TarEntry {
  const { device: _device, ...rest } = entry;
  return { ...rest, type: "hardlink", linkName: first, size: 0, xattrs: new Map() };
}
