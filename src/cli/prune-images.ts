import type { Filters } from "#api/client.ts";
import type { ImagePruneReport } from "#api/images.ts";

/** `dangling` says whether only images without a name go; what the person filtered by stays beside it. */
export function imagePruneFilters(filters: Filters, isAll: boolean): Filters {
  return { ...filters, dangling: [...(filters["dangling"] ?? []), String(!isAll)] };
}

/** `untagged: a:b`, `deleted: sha256:…`, as Docker lists them. */
export function prunedImageLines({ ImagesDeleted }: ImagePruneReport): string[] {
  return (ImagesDeleted ?? []).map(({ Deleted, Untagged }) =>
    Untagged === undefined ? `deleted: ${Deleted}` : `untagged: ${Untagged}`,
  );
}
