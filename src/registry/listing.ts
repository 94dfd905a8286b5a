import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { readBounded } from "./bounded-body.ts";
import { describeFailure } from "./failure.ts";
import type { HostRequest, RegistryHost } from "./registry-host.ts";

const MAX_PAGE_BYTES = 4 * 1024 * 1024;
const MAX_PAGES = 1000;
const MAX_ENTRIES = 1_000_000;

/**
 * The JSON documents of a list that comes in pages, following `Link` on the same host. OCI distribution-spec, "Listing
 * Tags".
 *
 * @param what names the list in messages
 * @throws {EngineError} as the registry refuses; forbidden for a next page elsewhere
 */
export async function* pages(
  host: RegistryHost,
  {
    what,
    ...request
  }: Pick<HostRequest, "path" | "query" | "scopes" | "headers"> & { readonly what: string },
  signal: AbortSignal,
): AsyncGenerator<Fields> {
  let next: HostRequest | undefined = request;
  for (let page = 0; next !== undefined; page++) {
    if (page === MAX_PAGES)
      throw new EngineError("invalid", `Cannot read ${what}: more than ${MAX_PAGES} pages`);
    const response: Response = await host.request(next, signal);
    if (!response.ok) throw await describeFailure(response, `Cannot read ${what}`);
    const link = nextLink(response.headers.get("link") ?? "");
    const bytes = await readBounded(response, MAX_PAGE_BYTES, what);
    yield new Fields(parseJson(new TextDecoder().decode(bytes), what));
    if (link === undefined) return;
    const target: URL = await host.locate(link, signal);
    if (target.origin !== (await host.open(signal)).origin)
      throw new EngineError("forbidden", `Cannot read ${what}: its next page is at ${target.host}`);
    next = { path: target, scopes: request.scopes, ...(request.headers && { headers: request.headers }) };
  }
}

/** The target of `<…>; rel="next"`. RFC 8288. */
export function nextLink(header: string): string | undefined {
  for (const [, target, parameters = ""] of header.slice(0, 8192).matchAll(/<([^<>]*)>([^<]*)/g)) {
    if (/;\s*rel\s*=\s*"?next"?/i.test(parameters)) return target;
  }
  return undefined;
}

/** @throws {EngineError} invalid when a list of a registry is longer than any honest one */
export function checkCount(count: number, what: string): void {
  if (count > MAX_ENTRIES)
    throw new EngineError("invalid", `Cannot read ${what}: more than ${MAX_ENTRIES} entries were sent`);
}
