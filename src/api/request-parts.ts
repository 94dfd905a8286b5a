import type { Filters } from "./client.ts";

/**
 * The engine's answers are held to the API description by the engine's own tests, and nothing here acts on them beyond
 * showing them; a decoder for each shape would be most of the client's size and start-up time.
 */
export function trusted<T>(value: unknown): T {
  return value as T;
}

/** The `filters` parameter; absent when there are none. */
export function encodeFilters(filters: Filters): string | undefined {
  return Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters);
}

/** One path segment: a name from the command line cannot reach another endpoint. */
export function segment(id: string): string {
  return id === "." || id === ".." ? id.replaceAll(".", "%2E") : encodeURIComponent(id);
}
