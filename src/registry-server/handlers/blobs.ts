import type { Digest } from "#oci/digest.ts";
import { repositoryAccess } from "../auth/guard.ts";
import type { Answer, Exchange, Headers } from "../http/exchange.ts";
import { requestedRange } from "../http/range.ts";
import { sendFile } from "../http/send-file.ts";
import { unknownBlob } from "../storage/layers.ts";
import type { Storage } from "../storage/storage.ts";
import { isUnchanged, NOT_MODIFIED_STATUS, tagOf } from "./conditions.ts";
import type { Operations, TargetOf } from "./operation.ts";

type BlobTarget = TargetOf<"blob">;

/** A blob that a registry has not but can get. Declared here for a pull-through cache. */
export interface BlobSource {
  /** The answer with the blob, which is kept as it passes; `undefined` when it is not to be had. */
  blob(target: BlobTarget, exchange: Exchange): Promise<Answer | undefined>;
}

export interface BlobHandlerOptions {
  readonly isReadOnly: boolean;
  readonly source: BlobSource | undefined;
}

/** `/v2/<name>/blobs/<digest>`. OCI distribution-spec, "Pulling blobs", "Deleting Blobs". */
export function blobOperations(storage: Storage, options: BlobHandlerOptions): Operations<BlobTarget> {
  const { layers, blobs } = storage;
  const find = async (target: BlobTarget): Promise<number | undefined> =>
    (await layers.has(target.repository, target.digest)) ? await blobs.size(target.digest) : undefined;
  return {
    GET: {
      needs: ({ repository }) => repositoryAccess(repository, "pull"),
      async handle(target, exchange) {
        const size = await find(target);
        if (size !== undefined) return fileAnswer(storage, target.digest, { size, exchange });
        const answer = await options.source?.blob(target, exchange);
        if (answer === undefined) throw unknownBlob(target.repository, target.digest);
        return answer;
      },
    },
    HEAD: {
      needs: ({ repository }) => repositoryAccess(repository, "pull"),
      async handle(target, exchange) {
        // who asks before a push relies on the answer
        const size = options.isReadOnly
          ? await find(target)
          : await layers.promise(target.repository, target.digest);
        if (size !== undefined) return fileAnswer(storage, target.digest, { size, exchange });
        const answer = await options.source?.blob(target, exchange);
        if (answer === undefined) throw unknownBlob(target.repository, target.digest);
        return answer;
      },
    },
    DELETE: {
      isChange: true,
      isRemoval: true,
      needs: ({ repository }) => repositoryAccess(repository, "delete"),
      async handle({ repository, digest }) {
        await layers.remove(repository, digest);
        return { kind: "empty", status: 202, headers: { "Docker-Content-Digest": digest } };
      },
    },
  };
}

function fileAnswer(
  { blobs }: Storage,
  digest: Digest,
  { size, exchange }: { readonly size: number; readonly exchange: Exchange },
): Answer {
  const headers = blobHeaders(digest);
  if (isUnchanged(exchange, digest)) return { kind: "empty", status: NOT_MODIFIED_STATUS, headers };
  const condition = exchange.header("if-range");
  const isWhole = condition !== undefined && condition !== tagOf(digest);
  const range = isWhole ? undefined : requestedRange(exchange.header("range"), size);
  const { start, end } = range ?? { start: 0, end: size - 1 };
  return {
    kind: "stream",
    status: range === undefined ? 200 : 206,
    headers: {
      ...headers,
      "Content-Length": String(end - start + 1),
      ...(range !== undefined && { "Content-Range": `bytes ${start}-${end}/${size}` }),
    },
    async send(write) {
      await using open = await blobs.open(digest);
      if (open === undefined) throw new Error(`blob ${digest} has gone while it was asked for`);
      await sendFile(open.file, { start, end }, write);
    },
  };
}

/** A blob never changes, so that whoever has it need not ask again. */
export function blobHeaders(digest: Digest): Headers {
  return {
    "Content-Type": "application/octet-stream",
    "Docker-Content-Digest": digest,
    ETag: tagOf(digest),
    "Accept-Ranges": "bytes",
    "Cache-Control": "max-age=31536000",
  };
}
