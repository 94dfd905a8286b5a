import type { BuildCacheRecord } from "#api/disk-usage.ts";
import { shortId } from "#base/ids.ts";
import { humanSize } from "#base/sizes.ts";
import { goTime, humanDuration } from "./human-time.ts";
import type { ListFormat, Row } from "./list-format.ts";

export const BUILD_CACHE_LIST: ListFormat = {
  headers: {
    ID: "CACHE ID",
    Parent: "PARENT",
    CacheType: "CACHE TYPE",
    Size: "SIZE",
    CreatedSince: "CREATED",
    LastUsedSince: "LAST USED",
    UsageCount: "USAGE",
    InUse: "IN USE",
    Shared: "SHARED",
    Description: "DESCRIPTION",
  },
  columns: ["ID", "CacheType", "Size", "CreatedSince", "LastUsedSince", "UsageCount", "Shared"],
};

/** Docker's order: what was used longest ago first, what was never used before it. */
export function sortBuildCache(records: readonly BuildCacheRecord[]): BuildCacheRecord[] {
  const at = ({ LastUsedAt }: BuildCacheRecord): number => (LastUsedAt === null ? 0 : Date.parse(LastUsedAt));
  return records.toSorted((one, other) => at(one) - at(other) || (one.ID < other.ID ? -1 : 1));
}

/** The columns of one record (docker/cli `formatter/buildcache.go`). */
export function buildCacheRow(
  record: BuildCacheRecord,
  { isCut, nowMs }: { readonly isCut: boolean; readonly nowMs: number },
): Row {
  const { CreatedAt, ID, InUse, LastUsedAt } = record;
  const cut = (id: string): string => (isCut ? shortId(id) : id);
  const ago = (time: string): string => `${humanDuration(nowMs - Date.parse(time))} ago`;
  return {
    CacheType: record.Type,
    get CreatedAt() {
      return goTime(Date.parse(CreatedAt));
    },
    CreatedSince: ago(CreatedAt),
    Description: record.Description,
    ID: `${cut(ID)}${InUse ? "*" : ""}`,
    InUse: String(InUse),
    get LastUsedAt() {
      return LastUsedAt === null ? "" : goTime(Date.parse(LastUsedAt));
    },
    LastUsedSince: LastUsedAt === null ? "" : ago(LastUsedAt),
    Parent: cut((record.Parents ?? []).join(", ")),
    Shared: String(record.Shared),
    Size: humanSize(record.Size, 3),
    UsageCount: String(record.UsageCount),
  };
}
