import { rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import type { Digest } from "#oci/digest.ts";
import type { Part } from "../manifest-facts.ts";
import type { RepositoryName } from "../names.ts";
import { everyRepository } from "./catalog.ts";
import { linkTime, listLinks, namesIn, readLink, removeLink } from "./links.ts";
import type { Storage } from "./storage.ts";

export interface CollectionOptions {
  /** Manifests that no tag reaches go too. */
  readonly withUntagged: boolean;
  /** Only says what would go. */
  readonly isDryRun: boolean;
  /** Manifests that nobody has asked for since go, tagged or not: what a cache does. Epoch milliseconds. */
  readonly unusedBefore?: number | undefined;
  /** Uploads into which nothing has come for so long are dropped. */
  readonly uploadExpiryMs: number;
}

/** What a collection has removed. */
export interface Collected {
  manifests: number;
  links: number;
  blobs: number;
  bytes: number;
  uploads: number;
}

export const DEFAULT_UPLOAD_EXPIRY_MS = 24 * 60 * 60 * 1000;

/**
 * Removes what no manifest names, while clients push and pull.
 *
 * It marks first, everything that a manifest of any repository names, and sweeps then. Only what nobody was promised
 * since the grace before its begin is swept, and whether it was is looked at under the lock that gives promises. So a
 * manifest that comes while it works finds its blobs: each was stored, mounted or asked for within the grace, or is
 * promised anew by the push that names it.
 */
export class Collector {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async collect(options: CollectionOptions, signal: AbortSignal): Promise<Collected> {
    const collected: Collected = { manifests: 0, links: 0, blobs: 0, bytes: 0, uploads: 0 };
    const { layout, uploads, now, graceMs } = this.#storage;
    const before = now() - graceMs;
    const live = new Set<Digest>();
    for await (const repository of everyRepository(layout)) {
      signal.throwIfAborted();
      if (!options.isDryRun)
        collected.uploads += await uploads.expire(repository, now() - options.uploadExpiryMs);
      if (options.unusedBefore !== undefined && !options.isDryRun) {
        collected.manifests += await this.#sweepUnused(repository, options.unusedBefore);
      }
      const pass = { repository, before, isDryRun: options.isDryRun };
      const dead = options.withUntagged ? await this.#sweepUntagged(pass) : new Set<Digest>();
      collected.manifests += dead.size;
      const named = await this.#named(repository, dead);
      collected.links += await this.#sweepLinks(pass, named);
      for (const digest of named) live.add(digest);
      if (!options.isDryRun) await this.#removeIfEmpty(repository);
    }
    await this.#sweepBlobs({ before, isDryRun: options.isDryRun, live }, collected, signal);
    return collected;
  }

  async #sweepUnused(repository: RepositoryName, before: number): Promise<number> {
    const { layout, manifests } = this.#storage;
    let swept = 0;
    for await (const digest of listLinks(layout.revisions(repository))) {
      const usedAt = await linkTime(layout.revision(repository, digest));
      if (usedAt === undefined || usedAt >= before) continue;
      await manifests.remove(repository, digest);
      swept++;
    }
    return swept;
  }

  /** Removes the manifests that no tag reaches, by an index or as the subject's referrer, and gives their digests. */
  async #sweepUntagged({ repository, before, isDryRun }: Pass): Promise<Set<Digest>> {
    const { layout, manifests, repositories } = this.#storage;
    return await repositories.run(repository, async () => {
      const reached = await this.#reached(repository);
      const dead = new Set<Digest>();
      for await (const digest of listLinks(layout.revisions(repository))) {
        const renewed = await linkTime(layout.revision(repository, digest));
        if (reached.has(digest) || renewed === undefined || renewed >= before) continue;
        dead.add(digest);
        if (!isDryRun) await manifests.removeRevision(repository, digest);
      }
      return dead;
    });
  }

  async #reached(repository: RepositoryName): Promise<ReadonlySet<Digest>> {
    const { layout, manifests, reader } = this.#storage;
    const referrers = new Map<Digest, Digest[]>();
    for await (const digest of listLinks(layout.revisions(repository))) {
      const subject = (await reader.read(digest))?.facts?.subject;
      if (subject !== undefined) referrers.set(subject, [...(referrers.get(subject) ?? []), digest]);
    }
    const reached = new Set<Digest>();
    const open: Digest[] = [];
    for (const tag of await manifests.tags(repository)) {
      const named = await readLink(layout.currentOfTag(repository, tag));
      if (named !== undefined) open.push(named);
    }
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      if (reached.has(digest)) continue;
      reached.add(digest);
      open.push(...((await reader.read(digest))?.facts?.manifests ?? []), ...(referrers.get(digest) ?? []));
    }
    return reached;
  }

  /** Everything that the repository's manifests name, themselves included. */
  async #named(repository: RepositoryName, dead: ReadonlySet<Digest>): Promise<ReadonlySet<Digest>> {
    const named = new Set<Digest>();
    for await (const digest of listLinks(this.#storage.layout.revisions(repository))) {
      if (dead.has(digest)) continue;
      named.add(digest);
      for (const part of await this.#partsOf(digest)) named.add(part.digest);
    }
    return named;
  }

  /** What a manifest names; nothing when its own bytes are lost. @throws {EngineError} invalid when it cannot be told */
  async #partsOf(digest: Digest): Promise<readonly Part[]> {
    const known = await this.#storage.reader.read(digest);
    if (known === undefined || known.facts !== undefined) return known?.facts?.blobs ?? [];
    throw new EngineError(
      "invalid",
      `Cannot collect: manifest ${digest} is of an unknown form, so that its blobs are not known`,
      {
        hint: "delete that manifest first",
      },
    );
  }

  /** Takes from the repository the blobs that none of its manifests names. */
  async #sweepLinks({ repository, before, isDryRun }: Pass, named: ReadonlySet<Digest>): Promise<number> {
    const { layout, blobs, repositories, usage } = this.#storage;
    let swept = 0;
    for await (const digest of listLinks(layout.layers(repository))) {
      if (named.has(digest)) continue;
      // a push checks its links under the same lock
      await repositories.run(repository, async () => {
        const link = layout.layer(repository, digest);
        if (await blobs.isPromised(digest, before)) return;
        swept++;
        if (isDryRun) return;
        await removeLink(link);
        await usage.unlinked(repository);
      });
    }
    return swept;
  }

  async #sweepBlobs(
    { before, isDryRun, live }: { before: number; isDryRun: boolean; live: ReadonlySet<Digest> },
    collected: Collected,
    signal: AbortSignal,
  ): Promise<void> {
    const { blobs, usage } = this.#storage;
    for await (const { digest, size } of blobs.list()) {
      signal.throwIfAborted();
      if (live.has(digest) || (await blobs.isPromised(digest, before))) continue;
      if (!isDryRun && (await blobs.sweep(digest, before)) === undefined) continue;
      collected.blobs++;
      collected.bytes += size;
      if (!isDryRun) usage.removed(size);
    }
  }

  /** A repository without manifest, blob and upload is none: its folders go, and those above that are then empty. */
  async #removeIfEmpty(repository: RepositoryName): Promise<void> {
    const { layout, repositories } = this.#storage;
    await repositories.run(repository, async () => {
      if ((await namesIn(layout.uploads(repository))).length > 0) return;
      for (const folder of [layout.layers(repository), layout.revisions(repository)]) {
        for await (const _digest of listLinks(folder)) return;
      }
      for (const folder of ["_layers", "_manifests"]) {
        await rm(join(layout.repository(repository), folder), { recursive: true, force: true });
      }
      await removeEmpty(layout.uploads(repository));
      for (
        let folder = layout.repository(repository);
        folder !== layout.repositories;
        folder = dirname(folder)
      ) {
        if (!(await removeEmpty(folder))) return;
      }
    });
  }
}

interface Pass {
  readonly repository: RepositoryName;
  readonly before: number;
  readonly isDryRun: boolean;
}

/** False when there is something in it. */
async function removeEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return true;
    if (isErrno(error, "ENOTEMPTY", "EEXIST")) return false;
    throw error;
  }
}
