import { readdir, rm } from "node:fs/promises";
import type { KeyedLock } from "#base/lock.ts";
import { type Digest, digesterFor, digestOf } from "#oci/digest.ts";
import { Fault } from "../fault.ts";
import type { ManifestKey } from "../http/target.ts";
import type { ManifestFacts } from "../manifest-facts.ts";
import { findTag, type RepositoryName, type Tag } from "../names.ts";
import type { Blobs } from "./blobs.ts";
import { holdsImages } from "./catalog.ts";
import type { Layout } from "./layout.ts";
import { ifPresent, linkTime, namesIn, readLink, removeLink, renewLink, writeFileDurably } from "./links.ts";
import type { Usage } from "./usage.ts";

export interface ManifestPush {
  readonly repository: RepositoryName;
  readonly bytes: Uint8Array;
  readonly facts: ManifestFacts;
  /** The digest that it was pushed by, when it was. */
  readonly digest: Digest | undefined;
  readonly tags: readonly Tag[];
  /** What it names may come later: a cache gets it when it is asked for. */
  readonly isCached?: boolean;
}

export interface ManifestsParts {
  readonly layout: Layout;
  readonly blobs: Blobs;
  readonly usage: Usage;
  /** Held while a repository changes. */
  readonly repositories: KeyedLock;
}

/** The manifests and tags of every repository. */
export class Manifests {
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

  /** The digest of what `key` names, when this repository has it. */
  async find(repository: RepositoryName, key: ManifestKey): Promise<Digest | undefined> {
    const digest =
      key.by === "digest" ? key.digest : await readLink(this.#layout.currentOfTag(repository, key.tag));
    return digest !== undefined && (await this.has(repository, digest)) ? digest : undefined;
  }

  async has(repository: RepositoryName, digest: Digest): Promise<boolean> {
    return (await linkTime(this.#layout.revision(repository, digest))) !== undefined;
  }

  /** Keeps an untagged manifest from the next collection. */
  async renew(repository: RepositoryName, digest: Digest): Promise<void> {
    await renewLink(this.#layout.revision(repository, digest));
  }

  /**
   * Stores a manifest, and sets the tags last.
   *
   * @throws {Fault} DIGEST_INVALID, MANIFEST_BLOB_UNKNOWN, DENIED
   */
  async push({
    repository,
    bytes,
    facts,
    digest: wanted,
    tags,
    isCached = false,
  }: ManifestPush): Promise<Digest> {
    const digest = wanted === undefined ? digestOf(bytes) : digestBy(wanted, bytes);
    if (wanted !== undefined && wanted !== digest) {
      throw new Fault("DIGEST_INVALID", `the manifest has the digest ${digest}, not ${wanted}`);
    }
    return await this.#repositories.run(repository, async () => {
      if (!isCached) await this.#checkContents(repository, facts);
      await this.#usage.admit(repository, digest, bytes.byteLength);
      const isNew = await this.#blobs.writeBytes(bytes, digest);
      const revision = this.#layout.revision(repository, digest);
      if (!(await renewLink(revision))) await writeFileDurably(revision, digest, this.#layout.aside);
      this.#usage.added(repository, digest, { size: bytes.byteLength, isNew });
      for (const tag of tags) await this.#setTag(repository, tag, digest);
      return digest;
    });
  }

  /** Removes a manifest and every tag that names it. @throws {Fault} MANIFEST_UNKNOWN */
  async remove(repository: RepositoryName, digest: Digest): Promise<void> {
    await this.#repositories.run(repository, async () => {
      if (!(await this.has(repository, digest))) throw unknownManifest(repository, digest);
      for (const tag of await this.tags(repository)) {
        const named = await readLink(this.#layout.currentOfTag(repository, tag));
        if (named === digest) await this.#removeTag(repository, tag);
      }
      await this.removeRevision(repository, digest);
    });
  }

  /** Removes a tag; what it named stays. @throws {Fault} MANIFEST_UNKNOWN */
  async untag(repository: RepositoryName, tag: Tag): Promise<void> {
    await this.#repositories.run(repository, async () => {
      const named = await readLink(this.#layout.currentOfTag(repository, tag));
      if (named === undefined) throw unknownManifest(repository, tag);
      await this.#removeTag(repository, tag);
    });
  }

  /** For callers that hold the repository. */
  async removeRevision(repository: RepositoryName, digest: Digest): Promise<void> {
    await removeLink(this.#layout.revision(repository, digest));
    await this.#usage.unlinked(repository);
  }

  /** Every tag, sorted; `undefined` when there is no such repository. */
  async findTags(repository: RepositoryName): Promise<Tag[] | undefined> {
    const inside = await ifPresent(readdir(this.#layout.repository(repository)));
    if (inside === undefined || !holdsImages(inside)) return undefined;
    return await this.tags(repository);
  }

  async tags(repository: RepositoryName): Promise<Tag[]> {
    const tags: Tag[] = [];
    for (const name of await namesIn(this.#layout.tags(repository))) {
      const tag = findTag(name);
      if (tag === undefined) continue;
      if ((await linkTime(this.#layout.currentOfTag(repository, tag))) !== undefined) tags.push(tag);
    }
    return tags.toSorted();
  }

  async #checkContents(repository: RepositoryName, facts: ManifestFacts): Promise<void> {
    const missing: Digest[] = [];
    for (const { digest, isElsewhere } of facts.blobs) {
      const isHere = (await linkTime(this.#layout.layer(repository, digest))) !== undefined;
      if (!(isHere && (await this.#blobs.promise(digest)) !== undefined) && !isElsewhere)
        missing.push(digest);
    }
    for (const digest of facts.manifests) {
      const isHere = await renewLink(this.#layout.revision(repository, digest));
      if (!isHere || (await this.#blobs.promise(digest)) === undefined) missing.push(digest);
    }
    if (missing.length === 0) return;
    throw new Fault(
      "MANIFEST_BLOB_UNKNOWN",
      `the manifest names what ${repository} has not: ${missing.slice(0, 10).join(", ")}`,
      {
        detail: missing.slice(0, 100).map((digest) => ({ digest })),
      },
    );
  }

  async #setTag(repository: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    const past = this.#layout.pastOfTag(repository, tag, digest);
    if (!(await renewLink(past))) await writeFileDurably(past, digest, this.#layout.aside);
    await writeFileDurably(this.#layout.currentOfTag(repository, tag), digest, this.#layout.aside);
  }

  async #removeTag(repository: RepositoryName, tag: Tag): Promise<void> {
    await removeLink(this.#layout.currentOfTag(repository, tag));
    await rm(this.#layout.tag(repository, tag), { recursive: true, force: true });
  }
}

export function unknownManifest(repository: RepositoryName, key: string): Fault {
  return new Fault("MANIFEST_UNKNOWN", `${repository} has no manifest ${key}`);
}

function digestBy(wanted: Digest, bytes: Uint8Array): Digest {
  const digester = digesterFor(wanted);
  digester.update(bytes);
  return digester.digest();
}
