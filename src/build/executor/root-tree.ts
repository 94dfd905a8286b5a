import { closeSync, constants, readSync } from "node:fs";
import { isErrno } from "#base/errors.ts";
import { type Digest, Digester } from "#oci/digest.ts";
import { isStoredXattr } from "#store/layer/stored-xattrs.ts";
import type { RootFile, StepRoot } from "./host.ts";
import { byBytes, type SourceTree, type TreeEntry } from "../context/source-tree.ts";

const READ_BYTES = 256 * 1024;

/** The files of a stage or an image, mounted read-only. */
export class RootTree implements SourceTree {
  readonly name: string;
  readonly #root: StepRoot;

  constructor(root: StepRoot, name: string) {
    this.#root = root;
    this.name = name;
  }

  find(path: string, { follow }: { readonly follow: boolean }): TreeEntry | undefined {
    const stat = this.#stat(path, follow);
    if (stat === undefined) return undefined;
    const at = path.replace(/^\/+/, "").replace(/\/+$/, "");
    // behind a followed link only the link's own name is known; `/.` makes the kernel go through it
    const isLink = follow && this.#stat(path, false)?.type === "symlink";
    return this.#entry(isLink && stat.type === "directory" ? `${at}/.` : at, stat, { follow });
  }

  list(directory: TreeEntry): readonly string[] {
    return this.#root.readdir(directory.path === "" ? "." : directory.path).toSorted(byBytes);
  }

  async *read(file: TreeEntry): AsyncGenerator<Uint8Array, void, undefined> {
    yield* this.#chunks(file);
  }

  digest(file: TreeEntry): Digest {
    const digester = new Digester();
    for (const chunk of this.#chunks(file)) digester.update(chunk);
    return digester.digest();
  }

  *#chunks(file: TreeEntry): Generator<Uint8Array, void, undefined> {
    const fd = this.#root.openFollowing(file.path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(1, file.size)));
      for (;;) {
        const count = readSync(fd, buffer);
        if (count === 0) return;
        yield buffer.subarray(0, count);
      }
    } finally {
      closeSync(fd);
    }
  }

  #stat(path: string, follow: boolean): RootFile | undefined {
    try {
      return this.#root.find(path === "" ? "." : path, { follow });
    } catch (error) {
      // a file, or a loop of links, in the place of a directory on the way
      if (isErrno(error, "ENOTDIR", "ELOOP")) return undefined;
      throw error;
    }
  }

  #entry(path: string, stat: RootFile, { follow }: { readonly follow: boolean }): TreeEntry {
    const { type, mode, uid, gid, size, mtimeNs, links, inode, device, node } = stat;
    const isSpecial = type === "character" || type === "block";
    const names = follow ? [] : this.#root.listXattrs(path === "" ? "." : path).filter(isStoredXattr);
    const xattrs = new Map<string, Uint8Array>();
    for (const name of names) {
      const value = this.#root.getXattr(path, name);
      if (value !== undefined) xattrs.set(name, value);
    }
    return {
      path,
      type,
      mode,
      uid,
      gid,
      size: type === "file" ? size : 0,
      mtimeNs,
      ...(type === "symlink" && { linkName: this.#root.readlink(path) }),
      ...(isSpecial && { device: node }),
      xattrs,
      ...(links > 1 && type === "file" && { identity: `${device.major}:${device.minor}:${inode}` }),
    };
  }
}
