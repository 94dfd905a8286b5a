import type { Digest } from "#oci/digest.ts";
import { mayRead, type Permission, repositoryAccess } from "../auth/guard.ts";
import { Fault } from "../fault.ts";
import type { Answer, Exchange, Headers } from "../http/exchange.ts";
import { chunkRange } from "../http/range.ts";
import { digest as parseDigest } from "../http/target.ts";
import { findRepositoryName, type RepositoryName, type UploadId } from "../names.ts";
import type { Chunk } from "../storage/uploads.ts";
import type { Storage } from "../storage/storage.ts";
import type { Operations, TargetOf } from "./operation.ts";

export interface UploadHandlerOptions {
  readonly maxBlobBytes: number;
  /** Bodies taken at the same time. */
  readonly maxUploads: number;
}

export interface UploadOperations {
  readonly collection: Operations<TargetOf<"uploads">>;
  readonly one: Operations<TargetOf<"upload">>;
  /** Bodies being taken now. */
  readonly active: () => number;
}

interface Parts {
  readonly storage: Storage;
  readonly intake: Intake;
}

const needs = ({ repository }: { readonly repository: RepositoryName }) =>
  repositoryAccess(repository, "pull", "push");

/** `/v2/<name>/blobs/uploads/…`. OCI distribution-spec, "Pushing blobs". */
export function uploadOperations(storage: Storage, options: UploadHandlerOptions): UploadOperations {
  const parts = { storage, intake: new Intake(options) };
  return {
    active: () => parts.intake.active,
    collection: {
      POST: {
        isChange: true,
        needs,
        handle: ({ repository }, exchange, permission) => begin(parts, { repository, permission }, exchange),
      },
    },
    one: sessionOperations(parts),
  };
}

function sessionOperations({ storage: { uploads }, intake }: Parts): Operations<TargetOf<"upload">> {
  return {
    GET: {
      needs,
      handle: async ({ repository, id }) => ({
        kind: "empty",
        status: 204,
        headers: sessionHeaders(repository, id, await uploads.offset(repository, id)),
      }),
    },
    PATCH: {
      isChange: true,
      needs,
      async handle({ repository, id }, exchange) {
        const offset = await intake.take(exchange, (chunk) => uploads.append(repository, id, chunk));
        return { kind: "empty", status: 202, headers: sessionHeaders(repository, id, offset) };
      },
    },
    PUT: {
      isChange: true,
      needs,
      async handle({ repository, id }, exchange) {
        const digest = digestParameter(exchange);
        await intake.take(exchange, (chunk) => uploads.finish(repository, id, { ...chunk, digest }));
        return created(repository, digest);
      },
    },
    DELETE: {
      isChange: true,
      needs,
      async handle({ repository, id }) {
        await uploads.cancel(repository, id);
        return { kind: "empty", status: 204 };
      },
    },
  };
}

/** A mount, a whole blob in one request, or a new session. */
async function begin(
  { storage, intake }: Parts,
  { repository, permission }: { readonly repository: RepositoryName; readonly permission: Permission },
  exchange: Exchange,
): Promise<Answer> {
  const { uploads } = storage;
  const mount = exchange.query.get("mount");
  if (
    mount !== null &&
    (await mounted(storage, { repository, digest: parseDigest(mount), permission }, exchange))
  ) {
    return created(repository, parseDigest(mount));
  }
  const wanted = exchange.query.get("digest");
  if (wanted === null) {
    const id = await uploads.start(repository, algorithmParameter(exchange));
    return { kind: "empty", status: 202, headers: sessionHeaders(repository, id, 0) };
  }
  const digest = parseDigest(wanted);
  await intake.take(exchange, async (chunk) => {
    const id = await uploads.start(repository, digest.startsWith("sha512:") ? "sha512" : "sha256");
    try {
      await uploads.finish(repository, id, { body: chunk.body, digest });
    } catch (error) {
      // nobody knows of this session: it cannot be resumed
      await dropIfThere(storage, repository, id);
      throw error;
    }
  });
  return created(repository, digest);
}

interface Mount {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  readonly permission: Permission;
}

/**
 * Gives a repository a blob that the caller may read elsewhere. Without `from` every repository that it may read is a
 * source; who may read all has it from wherever it is.
 */
async function mounted(
  storage: Storage,
  { repository, digest, permission }: Mount,
  exchange: Exchange,
): Promise<boolean> {
  const from = exchange.query.get("from");
  const named = from === null ? undefined : findRepositoryName(from);
  if (from !== null && named === undefined)
    throw new Fault("NAME_INVALID", `"${from.slice(0, 300)}" is no repository name`);
  const sources = named !== undefined ? [named] : permission.readable;
  if (sources === "all") return await storage.layers.mount(repository, digest);
  for (const source of sources) {
    if (mayRead(permission, source) && (await storage.layers.has(source, digest))) {
      return await storage.layers.mount(repository, digest);
    }
  }
  return false;
}

/** Takes bodies in, so many at once. */
class Intake {
  readonly #options: UploadHandlerOptions;
  active = 0;

  constructor(options: UploadHandlerOptions) {
    this.#options = options;
  }

  /** @throws {Fault} TOOMANYREQUESTS, SIZE_INVALID */
  async take<T>(exchange: Exchange, store: (chunk: Chunk) => Promise<T>): Promise<T> {
    const { maxUploads, maxBlobBytes } = this.#options;
    const length = exchange.contentLength;
    if ((length ?? 0) > maxBlobBytes) {
      throw new Fault("SIZE_INVALID", `a blob has at most ${maxBlobBytes} bytes here`, { status: 413 });
    }
    const range = chunkRange(exchange.header("content-range"));
    if (range !== undefined && length !== undefined && length !== range.end - range.start + 1) {
      throw new Fault("SIZE_INVALID", `the chunk has ${length} bytes, its Content-Range says otherwise`);
    }
    if (this.active >= maxUploads) {
      throw new Fault("TOOMANYREQUESTS", `${maxUploads} uploads are under way`, {
        headers: { "Retry-After": "1" },
      });
    }
    this.active++;
    try {
      return await store({ range, body: exchange.body() });
    } finally {
      this.active--;
    }
  }
}

async function dropIfThere({ uploads }: Storage, repository: RepositoryName, id: UploadId): Promise<void> {
  try {
    await uploads.cancel(repository, id);
  } catch (error) {
    if (!(error instanceof Fault && error.code === "BLOB_UPLOAD_UNKNOWN")) throw error;
  }
}

function created(repository: RepositoryName, digest: Digest): Answer {
  const headers = { Location: `/v2/${repository}/blobs/${digest}`, "Docker-Content-Digest": digest };
  return { kind: "empty", status: 201, headers };
}

/** `Range` of a session without bytes is `0-0`, as registries have always said. */
function sessionHeaders(repository: RepositoryName, id: UploadId, offset: number): Headers {
  return {
    Location: `/v2/${repository}/blobs/uploads/${id}`,
    Range: `0-${Math.max(0, offset - 1)}`,
    "Docker-Upload-UUID": id,
  };
}

function digestParameter({ query }: Exchange): Digest {
  const text = query.get("digest");
  if (text === null) throw new Fault("DIGEST_INVALID", "the digest of the blob is missing");
  return parseDigest(text);
}

function algorithmParameter({ query }: Exchange): "sha256" | "sha512" {
  const name = query.get("digest-algorithm") ?? "sha256";
  if (name === "sha256" || name === "sha512") return name;
  throw new Fault("DIGEST_INVALID", `the digest algorithm "${name.slice(0, 50)}" is not known here`);
}
