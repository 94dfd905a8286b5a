import type { Digest } from "#oci/digest.ts";
import { repositoryAccess } from "../auth/guard.ts";
import { Fault } from "../fault.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import type { ManifestKey } from "../http/target.ts";
import { readPushedManifest, SCHEMA_1, storedManifestFacts } from "../manifest-facts.ts";
import { findTag, type RepositoryName, type Tag } from "../names.ts";
import { unknownManifest } from "../storage/manifests.ts";
import type { Storage } from "../storage/storage.ts";
import { isUnchanged, NOT_MODIFIED_STATUS, tagOf } from "./conditions.ts";
import type { Operations, TargetOf } from "./operation.ts";

type ManifestTarget = TargetOf<"manifest">;

/** A manifest that a registry has not, or not the newest of. Declared here for a pull-through cache. */
export interface ManifestSource {
  /** Sees to it that what the upstream registry has for `key` is here. */
  refresh(repository: RepositoryName, key: ManifestKey): Promise<void>;
}

export interface ManifestHandlerOptions {
  readonly maxBytes: number;
  readonly isReadOnly: boolean;
  readonly source: ManifestSource | undefined;
}

/** One request sets at most so many tags. */
const MAX_TAGS = 100;

/** `/v2/<name>/manifests/<tag-or-digest>`. OCI distribution-spec, "Pulling manifests", "Pushing Manifests". */
export function manifestOperations(
  storage: Storage,
  { maxBytes, isReadOnly, source }: ManifestHandlerOptions,
): Operations<ManifestTarget> {
  return {
    GET: {
      needs: ({ repository }) => repositoryAccess(repository, "pull"),
      async handle({ repository, key }, exchange) {
        await source?.refresh(repository, key);
        const digest = await storage.manifests.find(repository, key);
        if (digest === undefined) throw unknownManifest(repository, textOf(key));
        // who asks before a push of an index relies on the answer
        if (exchange.method === "HEAD" && !isReadOnly) await storage.manifests.renew(repository, digest);
        return await manifestAnswer(storage, digest, { repository, exchange, maxBytes });
      },
    },
    PUT: {
      isChange: true,
      needs: ({ repository }) => repositoryAccess(repository, "pull", "push"),
      handle: async ({ repository, key }, exchange) =>
        await push(storage, { repository, key, bytes: await exchange.bytes(maxBytes) }, exchange),
    },
    DELETE: {
      isChange: true,
      isRemoval: true,
      needs: ({ repository }) => repositoryAccess(repository, "delete"),
      async handle({ repository, key }) {
        if (key.by === "tag") await storage.manifests.untag(repository, key.tag);
        else await storage.manifests.remove(repository, key.digest);
        return { kind: "empty", status: 202 };
      },
    },
  };
}

async function manifestAnswer(
  { blobs }: Storage,
  digest: Digest,
  { repository, exchange, maxBytes }: { repository: RepositoryName; exchange: Exchange; maxBytes: number },
): Promise<Answer> {
  const cached = { "Docker-Content-Digest": digest, ETag: tagOf(digest) };
  if (isUnchanged(exchange, digest)) return { kind: "empty", status: NOT_MODIFIED_STATUS, headers: cached };
  const bytes = await blobs.readBytes(digest, maxBytes);
  if (bytes === undefined) throw unknownManifest(repository, digest);
  return {
    kind: "bytes",
    status: 200,
    headers: { ...cached, "Content-Type": storedManifestFacts(bytes)?.mediaType ?? SCHEMA_1 },
    bytes,
  };
}

interface Pushed {
  readonly repository: RepositoryName;
  readonly key: ManifestKey;
  readonly bytes: Uint8Array;
}

async function push(
  storage: Storage,
  { repository, key, bytes }: Pushed,
  exchange: Exchange,
): Promise<Answer> {
  const facts = readPushedManifest(bytes, exchange.header("content-type"));
  const more = exchange.query.getAll("tag").map(tagParameter);
  if (more.length > MAX_TAGS)
    throw new Fault("TAG_INVALID", `more than ${MAX_TAGS} tags at once`, { status: 414 });
  const digest = await storage.manifests.push({
    repository,
    bytes,
    facts,
    digest: key.by === "digest" ? key.digest : undefined,
    tags: key.by === "tag" ? [key.tag] : more,
  });
  return {
    kind: "empty",
    status: 201,
    headers: {
      Location: `/v2/${repository}/manifests/${digest}`,
      "Docker-Content-Digest": digest,
      ...(facts.subject !== undefined && { "OCI-Subject": facts.subject }),
      ...(key.by === "digest" && more.length > 0 && { "OCI-Tag": more.join(", ") }),
    },
  };
}

function tagParameter(text: string): Tag {
  const tag = findTag(text);
  if (tag === undefined) throw new Fault("TAG_INVALID", `"${text.slice(0, 200)}" is no tag`);
  return tag;
}

function textOf(key: ManifestKey): string {
  return key.by === "tag" ? key.tag : key.digest;
}
