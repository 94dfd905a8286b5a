import { KeyedLock } from "#base/lock.ts";
import { humanSize } from "#base/sizes.ts";
import type { Digest } from "#oci/digest.ts";
import { Fault } from "../fault.ts";
import type { RepositoryName } from "../names.ts";
import type { Blobs } from "./blobs.ts";
import type { Layout } from "./layout.ts";
import { listLinks } from "./links.ts";

export interface Quotas {
  /** Bytes of all blobs together. */
  readonly totalBytes?: number | undefined;
  /** Bytes of the blobs and manifests that one repository has, shared ones included. */
  readonly repositoryBytes?: number | undefined;
}

/** How much the registry and each repository hold, and whether more may come. */
export class Usage {
  readonly #layout: Layout;
  readonly #blobs: Blobs;
  readonly #quotas: Quotas;
  readonly #locks = new KeyedLock();
  /** By repository, the size of everything that it has; filled when a quota first asks. */
  readonly #repositories = new Map<RepositoryName, Map<Digest, number>>();
  readonly #uploads = new Map<string, { readonly repository: RepositoryName; bytes: number }>();
  #totalBytes = 0;
  #blobCount = 0;

  constructor(parts: { readonly layout: Layout; readonly blobs: Blobs; readonly quotas: Quotas }) {
    this.#layout = parts.layout;
    this.#blobs = parts.blobs;
    this.#quotas = parts.quotas;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  get blobCount(): number {
    return this.#blobCount;
  }

  /** Counts what is on disk. */
  async measure(): Promise<void> {
    let bytes = 0;
    let count = 0;
    for await (const { size } of this.#blobs.list()) {
      bytes += size;
      count++;
    }
    this.#totalBytes = bytes;
    this.#blobCount = count;
    this.#repositories.clear();
  }

  /** @throws {Fault} DENIED when `bytes` more for a blob that the repository has not are too many */
  async admit(repository: RepositoryName, digest: Digest, bytes: number): Promise<void> {
    const owned = await this.#ownedBy(repository);
    const isHere = (await this.#blobs.size(digest)) !== undefined;
    this.#check(repository, { total: isHere ? 0 : bytes, own: owned?.has(digest) ? 0 : bytes });
  }

  /** An upload has so many bytes now. @throws {Fault} DENIED when they are too many */
  async uploading(repository: RepositoryName, id: string, bytes: number): Promise<void> {
    await this.#ownedBy(repository);
    const upload = this.#uploads.get(id);
    if (upload === undefined) this.#uploads.set(id, { repository, bytes });
    else upload.bytes = bytes;
    this.#check(repository, { total: 0, own: 0 });
  }

  /** The upload has become a blob, or has been dropped. */
  uploaded(id: string): void {
    this.#uploads.delete(id);
  }

  added(
    repository: RepositoryName,
    digest: Digest,
    blob: { readonly size: number; readonly isNew: boolean },
  ): void {
    this.#repositories.get(repository)?.set(digest, blob.size);
    if (!blob.isNew) return;
    this.#totalBytes += blob.size;
    this.#blobCount++;
  }

  /** The repository has lost a link: it may still have the other one. */
  async unlinked(repository: RepositoryName): Promise<void> {
    await this.#locks.run(repository, async () => void this.#repositories.delete(repository));
  }

  removed(bytes: number): void {
    this.#totalBytes -= bytes;
    this.#blobCount--;
  }

  #check(repository: RepositoryName, more: { readonly total: number; readonly own: number }): void {
    const { totalBytes, repositoryBytes } = this.#quotas;
    const uploads = [...this.#uploads.values()];
    const total = sum(uploads.map((upload) => upload.bytes)) + this.#totalBytes + more.total;
    if (totalBytes !== undefined && total > totalBytes) {
      throw new Fault("DENIED", `the registry is full: its quota is ${humanSize(totalBytes)}`);
    }
    if (repositoryBytes === undefined) return;
    const own = uploads.filter((upload) => upload.repository === repository).map((upload) => upload.bytes);
    const held = sum(this.#repositories.get(repository)?.values() ?? []);
    if (sum(own) + held + more.own > repositoryBytes) {
      throw new Fault("DENIED", `${repository} is full: its quota is ${humanSize(repositoryBytes)}`);
    }
  }

  async #ownedBy(repository: RepositoryName): Promise<ReadonlyMap<Digest, number> | undefined> {
    if (this.#quotas.repositoryBytes === undefined) return undefined;
    return await this.#locks.run(repository, async () => {
      const known = this.#repositories.get(repository);
      if (known !== undefined) return known;
      const owned = new Map<Digest, number>();
      for (const folder of [this.#layout.layers(repository), this.#layout.revisions(repository)]) {
        for await (const digest of listLinks(folder))
          owned.set(digest, (await this.#blobs.size(digest)) ?? 0);
      }
      this.#repositories.set(repository, owned);
      return owned;
    });
  }
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
