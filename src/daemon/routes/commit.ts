import { EngineError } from "#base/errors.ts";
import { Fields } from "#base/decode.ts";
import type { CommitRequest } from "#container/commit.ts";
import { decodeExecutionConfig } from "#oci/image-config.ts";
import type { Digest } from "#oci/digest.ts";
import { canonicalReference, parseReference } from "#oci/reference.ts";
import { booleanQuery } from "../http/query.ts";
import { json, type Route } from "../http/route.ts";

/** `POST /commit` of Engine API group Image. */
export function commitRoutes(
  commit: (request: CommitRequest, signal: AbortSignal) => Promise<Digest>,
): Route[] {
  return [
    {
      method: "POST",
      path: "/commit",
      async handle({ query, json: body, signal }) {
        const document = await body();
        const config =
          document === undefined || document === null
            ? undefined
            : decodeExecutionConfig(new Fields(document));
        const request: CommitRequest = {
          container: query.get("container") ?? "",
          reference: referenceQuery(query),
          comment: query.get("comment") ?? "",
          author: query.get("author") ?? "",
          pauses: !query.get("pause") || booleanQuery(query, "pause"),
          changes: query
            .getAll("changes")
            .flatMap((change) => change.split("\n"))
            .filter(Boolean),
          config,
        };
        return json({ Id: await commit(request, signal) }, 201);
      },
    },
  ];
}

/** @throws {EngineError} invalid for what is no name, and for a digest */
function referenceQuery(query: URLSearchParams): string | undefined {
  const repository = query.get("repo") ?? "";
  const tag = query.get("tag") ?? "";
  if (repository === "") return undefined;
  const parsed = parseReference(repository);
  if (parsed.digest !== undefined || tag.includes(":")) {
    throw new EngineError("invalid", "cannot commit to digest reference");
  }
  return canonicalReference(tag === "" || parsed.tag !== undefined ? repository : `${repository}:${tag}`);
}
