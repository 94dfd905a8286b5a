import type { Filters } from "#api/client.ts";
import { EngineError } from "#base/errors.ts";

/** `--filter status=running --filter label=a=b`. @throws {EngineError} invalid */
export function parseFilters(entries: readonly string[]): Filters {
  const filters: Record<string, string[]> = {};
  for (const entry of entries) {
    const at = entry.indexOf("=");
    if (at === -1) {
      throw new EngineError(
        "invalid",
        `invalid filter "${entry}": bad format of filter (expected name=value)`,
      );
    }
    (filters[entry.slice(0, at).trim().toLowerCase()] ??= []).push(entry.slice(at + 1).trim());
  }
  return filters;
}
