import type { Descriptor } from "#oci/descriptor.ts";
import type { Digest } from "#oci/digest.ts";
import { type ManifestFacts, storedManifestFacts } from "../manifest-facts.ts";
import type { RepositoryName } from "../names.ts";
import type { Blobs } from "./blobs.ts";
import type { Layout } from "./layout.ts";
import { listLinks } from "./links.ts";
import { MAX_MANIFEST_BYTES } from "#oci/manifest.ts";

interface Known {
  readonly size: number;
  /** `undefined` when it is of no form that we understand. */
  readonly facts: ManifestFacts | undefined;
}

/** What is remembered of manifests, beyond which the oldest is forgotten and read again if need be. */
const MAX_KNOWN = 20_000;

/**
 * What the manifests on disk say. They are the one truth, whoever has written them: nothing is kept beside them but
 * what was read, which cannot change, since a digest names it.
 */
export class ManifestReader {
  readonly #layout: Layout;
  readonly #blobs: Blobs;
  readonly #known = new Map<Digest, Known>();

  constructor(layout: Layout, blobs: Blobs) {
    this.#layout = layout;
    this.#blobs = blobs;
  }

  /** What is in a manifest; `undefined` when its bytes are gone. */
  async read(digest: Digest): Promise<Known | undefined> {
    const before = this.#known.get(digest);
    if (before !== undefined) return before;
    const bytes = await this.#blobs.readBytes(digest, MAX_MANIFEST_BYTES);
    if (bytes === undefined) return undefined;
    const known = { size: bytes.byteLength, facts: storedManifestFacts(bytes) };
    this.#known.set(digest, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    return known;
  }

  /** Every manifest of a repository whose subject is `subject`, sorted by digest. OCI distribution-spec, "Listing Referrers". */
  async referrers(repository: RepositoryName, subject: Digest): Promise<Descriptor[]> {
    const found: Descriptor[] = [];
    for await (const digest of listLinks(this.#layout.revisions(repository))) {
      const known = await this.read(digest);
      if (known?.facts?.subject !== subject) continue;
      const { mediaType, artifactType, annotations } = known.facts;
      found.push({
        mediaType,
        digest,
        size: known.size,
        ...(artifactType !== undefined && { artifactType }),
        ...(annotations !== undefined && { annotations }),
      });
    }
    return found.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  }
}
