import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Credentials } from "./authorizer.ts";
import { readBounded } from "./bounded-body.ts";
import type { Endpoint } from "./endpoint.ts";
import { describeFailure } from "./failure.ts";
import { HostAccess } from "./host-access.ts";
import { RegistryHost } from "./registry-host.ts";
import type { RegistrySettings } from "./settings.ts";

/** One repository that an index knows. */
export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly isOfficial: boolean;
  readonly starCount: number;
}

export interface SearchOptions {
  /** `debian`; `index.example/debian` asks another index. */
  readonly term: string;
  readonly limit: number;
  readonly credentials: Credentials | undefined;
  readonly settings: RegistrySettings;
}

const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Asks an index for repositories, in the form of Docker's own (`GET /v1/search?q=…&n=…`).
 *
 * @throws {EngineError} invalid for a term that has a scheme, or an answer that is none
 */
export async function search(options: SearchOptions, signal: AbortSignal): Promise<SearchResult[]> {
  const { term, limit, credentials, settings } = options;
  if (term.includes("://"))
    throw new EngineError(
      "invalid",
      `invalid repository name: repository name (${term}) should not have a scheme`,
    );
  const access = new HostAccess(settings);
  const { apis, words } = indexFor(term, access);
  const endpoint: Endpoint = { apis, capabilities: [], headers: {}, isOrigin: true };
  const host = new RegistryHost(endpoint, access, { credentials });
  const scopes = ["registry:catalog:search"];
  const response = await host.request(
    { path: "search", query: { q: words, n: String(limit) }, scopes },
    signal,
  );
  const attempt = `Cannot search for "${words}" at ${host.name}`;
  if (!response.ok) throw await describeFailure(response, attempt);
  const bytes = await readBounded(response, MAX_BYTES, "the results");
  const fields = new Fields(parseJson(new TextDecoder().decode(bytes), "the results"), "");
  return (fields.list("results", decodeResult) ?? []).slice(0, limit);
}

function decodeResult(value: unknown, path: string): SearchResult {
  const fields = new Fields(value, path);
  return {
    name: fields.string("name") ?? "",
    description: fields.string("description") ?? "",
    isOfficial: fields.boolean("is_official") ?? false,
    starCount: fields.integer("star_count") ?? 0,
  };
}

/** A first part that reads as a host is the index to ask. [moby daemon/pkg/registry/search.go] */
function indexFor(
  term: string,
  access: HostAccess,
): { readonly apis: readonly URL[]; readonly words: string } {
  const slash = term.indexOf("/");
  const first = slash < 0 ? "" : term.slice(0, slash);
  if (!/[.:]/.test(first) && first !== "localhost")
    return { apis: [access.settings.searchIndex], words: term.replace(/^library\//, "") };
  const schemes = access.mayBePlain(first) ? ["https", "http"] : ["https"];
  if (!URL.canParse(`https://${first}`))
    throw new EngineError("invalid", `Cannot search at "${first}": it is no host`);
  return { apis: schemes.map((scheme) => new URL(`${scheme}://${first}/v1/`)), words: term.slice(slash + 1) };
}
