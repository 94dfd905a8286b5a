import type { Filters } from "#api/client.ts";
import { EngineError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { cutAt } from "./specs/key-values.ts";

/**
 * `--filter` of a prune, with the filters that a person has set for each of them; one that says the opposite of what is
 * asked now is left out.
 */
export function pruneFilters(entries: readonly string[], { settings }: Pick<Context, "settings">): Filters {
  const asked = parseFilters(entries);
  const opposite: Readonly<Record<string, string>> = { label: "label!", "label!": "label" };
  const kept = settings().pruneFilters.filter((entry) => {
    const [key, value] = cutAt(entry, "=");
    return value !== undefined && !asked[opposite[key] ?? ""]?.includes(value);
  });
  return parseFilters([...entries, ...kept]);
}

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
