import { EngineError, errorMessage } from "#base/errors.ts";
import { discard } from "./bounded-body.ts";
import { mayBePlain } from "./endpoint.ts";

export interface RegistryRequest {
  readonly url: URL;
  readonly method?: "GET" | "HEAD" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  /** The value of `Authorization`; sent to the host of `url` alone, never to where it redirects. */
  readonly authorization?: string | undefined;
  readonly body?: string;
  /** `false`: a redirect is an error. */
  readonly followRedirects?: boolean;
}

/** Registries limit their anonymous clients by it. */
const USER_AGENT = "darse";

const MAX_REDIRECTS = 5;

/** From request to response headers. */
const HEADERS_MS = 30_000;

/**
 * Sends a request and follows redirects by these rules: at most five; never from HTTPS to plain HTTP; plain HTTP only
 * to loopback or declared hosts; `Authorization` is dropped for good when scheme, host or port changes.
 *
 * @throws {EngineError} unavailable when nobody answers, forbidden for a redirect that breaks the rules
 */
export async function send(
  request: RegistryRequest,
  plainHosts: readonly string[],
  signal: AbortSignal,
): Promise<Response> {
  let url = request.url;
  let authorization = request.authorization;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await fetchOnce({ ...request, url, authorization }, signal);
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await discard(response);
    if (request.followRedirects === false) throw refused(url, location, "it may not redirect");
    const next = redirectTarget(url, location, plainHosts);
    if (next.origin !== url.origin) authorization = undefined;
    url = next;
  }
  throw new EngineError(
    "unavailable",
    `${request.url.host} redirects more than ${MAX_REDIRECTS} times, last to ${url.host}`,
  );
}

function redirectTarget(from: URL, location: string, plainHosts: readonly string[]): URL {
  if (!URL.canParse(location, from.href)) throw refused(from, location, "it is no address");
  const next = new URL(location, from.href);
  const isPlain = next.protocol === "http:";
  if (next.protocol !== "https:" && !isPlain) throw refused(from, location, "its scheme is not allowed");
  if (isPlain && (from.protocol === "https:" || !mayBePlain(next.host, plainHosts))) {
    throw refused(from, location, "plain HTTP is not allowed there");
  }
  next.username = "";
  next.password = "";
  return next;
}

/** The address is cut before its query, which may hold a signature. */
function refused(from: URL, location: string, why: string): EngineError {
  const shown = (location.split("?")[0] ?? "").slice(0, 200);
  return new EngineError("forbidden", `${from.host} redirects to "${shown}": ${why}`);
}

async function fetchOnce(request: RegistryRequest, signal: AbortSignal): Promise<Response> {
  signal.throwIfAborted();
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), HEADERS_MS);
  // `decompress` is Bun's: bytes are hashed as they were sent
  const init: RequestInit & { readonly decompress: false } = {
    method: request.method ?? "GET",
    redirect: "manual",
    decompress: false,
    signal: AbortSignal.any([signal, late.signal]),
    headers: {
      "User-Agent": USER_AGENT,
      "Accept-Encoding": "identity",
      ...request.headers,
      ...(request.authorization !== undefined && { Authorization: request.authorization }),
    },
    ...(request.body !== undefined && { body: request.body }),
  };
  try {
    return await fetch(request.url, init);
  } catch (error) {
    signal.throwIfAborted();
    const why = late.signal.aborted
      ? `no answer from ${request.url.host} within ${HEADERS_MS / 1000} seconds`
      : networkFailure(request.url.host, error);
    throw new EngineError("unavailable", why, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "connection refused"],
  ["ECONNRESET", "connection reset"],
  ["ENOTFOUND", "no such host"],
  ["EAI_AGAIN", "the name server does not answer"],
  ["EHOSTUNREACH", "no route to host"],
  ["ENETUNREACH", "network is unreachable"],
  ["ETIMEDOUT", "connection timed out"],
  ["EPROTO", "it does not speak TLS"],
]);

function networkFailure(host: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return `${host}: ${REASONS.get(code) ?? (code !== "" ? code : errorMessage(error))}`;
}
