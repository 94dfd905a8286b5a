import type { KeyedLock } from "#base/lock.ts";
import type { Digest } from "#oci/digest.ts";
import { Fault } from "../fault.ts";
import type { RepositoryName } from "../names.ts";
import type { Blobs } from "./blobs.ts";
import type { Layout } from "./layout.ts";
import { linkTime, removeLink, renewLink, writeFileDurably } from "./links.ts";
import type { ManifestsParts } from "./manifests.ts";
import type { Usage } from "./usage.ts";

/** Which blobs each repository has. */
export class Layers {
  readonly #layout: Layout;
  readonly #blobs: Blobs;
  readonly #usage: Usage;

  readonly #repositories: KeyedLock;

  constructor(parts: ManifestsParts) {
    this.#layout = parts.layout;
    this.#blobs = parts.blobs;
    this.#usage = parts.usage;
    this.#repositories = parts.repositories;
  }

  async has(repository: RepositoryName, digest: Digest): Promise<boolean> {
    return (await linkTime(this.#layout.layer(repository, digest))) !== undefined;
  }

  /** The size of a blob that the repository has, which stays for now. */
  async promise(repository: RepositoryName, digest: Digest): Promise<number | undefined> {
    return (await this.has(repository, digest)) ? await this.#blobs.promise(digest) : undefined;
  }

  /** Gives the repository a blob that was promised. */
  async link(repository: RepositoryName, digest: Digest): Promise<void> {
    const link = this.#layout.layer(repository, digest);
    await this.#repositories.run(repository, async () => {
      if (!(await renewLink(link))) await writeFileDurably(link, digest, this.#layout.aside);
    });
  }

  /**
   * Gives `to` a blob that the registry has.
   *
   * @returns false when there is no such blob
   * @throws {Fault} DENIED
   */
  async mount(to: RepositoryName, digest: Digest): Promise<boolean> {
    const size = await this.#blobs.promise(digest);
    if (size === undefined) return false;
    await this.#usage.admit(to, digest, size);
    await this.link(to, digest);
    this.#usage.added(to, digest, { size, isNew: false });
    return true;
  }

  /** Takes a blob from the repository; its bytes go with the next collection. @throws {Fault} BLOB_UNKNOWN */
  async remove(repository: RepositoryName, digest: Digest): Promise<void> {
    await this.#repositories.run(repository, async () => {
      if (!(await this.has(repository, digest))) throw unknownBlob(repository, digest);
      await removeLink(this.#layout.layer(repository, digest));
      await this.#usage.unlinked(repository);
    });
  }
}

export function unknownBlob(repository: RepositoryName, digest: Digest): Fault {
  return new Fault("BLOB_UNKNOWN", `${repository} has no blob ${digest}`);
}
