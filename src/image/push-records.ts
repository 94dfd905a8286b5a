import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { type Digest, parseDigest } from "#oci/digest.ts";
import type { DocumentTable, StoredBlob } from "./stores.ts";

/** What is known of a blob from earlier pushes and pulls. */
export interface PushRecord {
  /** What the blob is in registries: itself, or its compressed form. */
  readonly pushed: StoredBlob;
  /** `domain/path` of repositories that have it, the latest first. */
  readonly repositories: readonly string[];
}

/** More are of no use: one that has it is enough. */
const MAX_REPOSITORIES = 8;

/**
 * Which blobs registries have, and in which form: what was compressed once is found again without compressing it, what
 * came without compression goes back so, and what one repository has another need not be sent.
 */
export class PushRecords {
  readonly #table: DocumentTable;

  constructor(table: DocumentTable) {
    this.#table = table;
  }

  find(blob: Digest): PushRecord | undefined {
    const value = this.#table.find(blob);
    if (value === undefined) return undefined;
    try {
      const fields = new Fields(value, blob);
      return {
        pushed: {
          digest: parseDigest(fields.required("digest", fields.string("digest"))),
          size: fields.required("size", fields.integer("size")),
        },
        repositories: fields.strings("repositories") ?? [],
      };
    } catch (error) {
      // a record that cannot be read costs a blob sent again
      if (!EngineError.is(error, "invalid")) throw error;
      return undefined;
    }
  }

  add(blob: Digest, pushed: StoredBlob, repository: string): void {
    const before = this.find(blob);
    const isSame = before?.pushed.digest === pushed.digest;
    const others = isSame ? before.repositories.filter((other) => other !== repository) : [];
    if (isSame && before.repositories[0] === repository) return;
    const repositories = [repository, ...others].slice(0, MAX_REPOSITORIES);
    this.#table.put(blob, { digest: pushed.digest, size: pushed.size, repositories });
  }

  /** Forgets blobs that are not stored any more. */
  async tidy(isStored: (blob: Digest) => Promise<boolean>): Promise<void> {
    for (const { id } of this.#table.all()) {
      if (!(await isStored(parseDigest(id)))) this.#table.remove(id);
    }
  }
}
