import { MEDIA_TYPE } from "#oci/media-types.ts";
import { repositoryAccess } from "../auth/guard.ts";
import { Fault } from "../fault.ts";
import type { Answer } from "../http/exchange.ts";
import { nextLink, pageOf, pageRequest } from "../http/page.ts";
import { findRepositoryName, type RepositoryName } from "../names.ts";
import { repositoriesAfter } from "../storage/catalog.ts";
import type { Storage } from "../storage/storage.ts";
import type { Operations, TargetOf } from "./operation.ts";

/** However many a client asks for. */
const MAX_ENTRIES = 10_000;
const MAX_REFERRERS = 1000;

/** `/v2/<name>/tags/list`. OCI distribution-spec, "Listing Tags". */
export function tagOperations({ manifests }: Storage): Operations<TargetOf<"tags">> {
  return {
    GET: {
      needs: ({ repository }) => repositoryAccess(repository, "pull"),
      async handle({ repository }, { query }) {
        const wanted = pageRequest(query, MAX_ENTRIES);
        const tags = await manifests.findTags(repository);
        if (tags === undefined) throw new Fault("NAME_UNKNOWN", `there is no repository ${repository}`);
        const { entries, hasMore } = pageOf(tags, wanted);
        const next = { n: String(wanted.limit), last: entries.at(-1) ?? "" };
        return {
          kind: "json",
          status: 200,
          value: { name: repository, tags: entries },
          headers: hasMore ? nextLink(`/v2/${repository}/tags/list`, next) : {},
        };
      },
    },
  };
}

/** `/v2/_catalog`. Docker's registry API, "Listing Repositories". */
export function catalogOperations({ layout }: Storage): Operations<TargetOf<"catalog">> {
  return {
    GET: {
      needs: () => [{ type: "registry", name: "catalog", actions: ["*"] }],
      async handle(_target, { query }) {
        const { limit, last } = pageRequest(query, MAX_ENTRIES);
        if (last !== undefined && findRepositoryName(last) === undefined) {
          throw new Fault("NAME_INVALID", `"${last.slice(0, 300)}" is no repository name`);
        }
        const repositories: RepositoryName[] = [];
        for await (const name of repositoriesAfter(layout, last)) {
          if (repositories.push(name) > limit) break;
        }
        const hasMore = limit > 0 && repositories.length > limit;
        const shown = repositories.slice(0, limit);
        const next = { n: String(limit), last: shown.at(-1) ?? "" };
        return {
          kind: "json",
          status: 200,
          value: { repositories: shown },
          headers: hasMore ? nextLink("/v2/_catalog", next) : {},
        };
      },
    },
  };
}

/** `/v2/<name>/referrers/<digest>`. OCI distribution-spec, "Listing Referrers". */
export function referrerOperations({ reader }: Storage): Operations<TargetOf<"referrers">> {
  return {
    GET: {
      needs: ({ repository }) => repositoryAccess(repository, "pull"),
      async handle({ repository, digest }, { query }) {
        const { limit, last } = pageRequest(query, MAX_REFERRERS);
        const artifactType = query.get("artifactType") ?? "";
        const all = (await reader.referrers(repository, digest)).filter(
          (entry) => artifactType === "" || entry.artifactType === artifactType,
        );
        const after = last === undefined ? all : all.filter((entry) => entry.digest > last);
        const manifests = after.slice(0, limit);
        const hasMore = limit > 0 && after.length > limit;
        const filter: Record<string, string> = artifactType === "" ? {} : { artifactType };
        const next = { ...filter, n: String(limit), last: manifests.at(-1)?.digest ?? "" };
        return {
          kind: "json",
          status: 200,
          value: { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests },
          headers: {
            "Content-Type": MEDIA_TYPE.ociIndex,
            ...(artifactType !== "" && { "OCI-Filters-Applied": "artifactType" }),
            ...(hasMore && nextLink(`/v2/${repository}/referrers/${digest}`, next)),
          },
        } satisfies Answer;
      },
    },
  };
}
