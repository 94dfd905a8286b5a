import { Fault } from "../fault.ts";

/** What part of a list a client asks for: at most `limit` entries after `last`. */
export interface PageRequest {
  readonly limit: number;
  readonly last: string | undefined;
}

/**
 * Reads `n` and `last`. More than `most` is cut to it, so that no client decides how much memory an answer takes
 * (CVE-2023-2253); the `Link` header tells of the rest.
 *
 * @throws {Fault} PAGINATION_NUMBER_INVALID
 */
export function pageRequest(query: URLSearchParams, most: number): PageRequest {
  const n = query.get("n");
  if (n !== null && !/^\d{1,15}$/.test(n)) {
    throw new Fault("PAGINATION_NUMBER_INVALID", `n is "${n.slice(0, 100)}", it must be a number from 0`);
  }
  return { limit: n === null ? most : Math.min(Number(n), most), last: query.get("last") ?? undefined };
}

export interface Page<T> {
  readonly entries: readonly T[];
  readonly hasMore: boolean;
}

/** The page of `sorted` that was asked for. */
export function pageOf(sorted: readonly string[], { limit, last }: PageRequest): Page<string> {
  const after = last === undefined ? sorted : sorted.filter((entry) => entry > last);
  return { entries: after.slice(0, limit), hasMore: limit > 0 && after.length > limit };
}

/** The `Link` header to the page after `last`. RFC 8288. */
export function nextLink(path: string, parameters: Readonly<Record<string, string>>): Record<string, string> {
  return { Link: `<${path}?${new URLSearchParams(parameters).toString()}>; rel="next"` };
}
