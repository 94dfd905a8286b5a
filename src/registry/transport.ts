import { EngineError, errorMessage } from "#base/errors.ts";
import { discard } from "./bounded-body.ts";
import type { FetchTls, HostAccess } from "./host-access.ts";

/** A body that is sent as it is made; `size` when it is known before. */
export interface SentBody {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly size: number | undefined;
}

export interface RegistryRequest {
  readonly url: URL;
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  /** The value of `Authorization`; sent to the host of `url` alone, never to where it redirects. */
  readonly authorization?: string | undefined;
  /** A stream is sent once: it is not sent again to where the answer redirects. */
  readonly body?: string | Uint8Array | SentBody | undefined;
  /** `false`: a redirect is an error. */
  readonly followRedirects?: boolean;
}

/** Registries limit their anonymous clients by it. */
const USER_AGENT = "darse";

const MAX_REDIRECTS = 5;

/** From request to response headers. */
const HEADERS_MS = 30_000;
/** From the last byte sent to response headers: a registry looks through a whole blob before it answers. */
const DIGEST_MS = 300_000;

/**
 * Sends a request and follows redirects by these rules: at most five; never from HTTPS to plain HTTP; plain HTTP only
 * to loopback or declared hosts; `Authorization`, and headers set for the host, are dropped for good when scheme, host
 * or port changes; what changes the registry is not sent on.
 *
 * @throws {EngineError} unavailable when nobody answers, forbidden for a redirect that breaks the rules
 */
export async function send(
  request: RegistryRequest,
  access: HostAccess,
  signal: AbortSignal,
): Promise<Response> {
  let { url, authorization } = request;
  let headers = request.headers;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await fetchOnce(
      { ...request, url, authorization, headers: headers ?? {} },
      access,
      signal,
    );
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await discard(response);
    const isRead = request.method === undefined || request.method === "GET" || request.method === "HEAD";
    if (request.followRedirects === false || !isRead) throw refused(url, location, "it may not redirect");
    const next = redirectTarget(url, location, access);
    if (next.origin !== url.origin) {
      authorization = undefined;
      headers = onlyCommon(headers);
    }
    url = next;
  }
  throw new EngineError(
    "unavailable",
    `${request.url.host} redirects more than ${MAX_REDIRECTS} times, last to ${url.host}`,
  );
}

/** What other hosts may see: what we want, not what was set for the host that redirected. */
function onlyCommon(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name === "Accept" || name === "Range"),
  );
}

/**
 * Where a `Location` leads, as an address that may be asked.
 *
 * @throws {EngineError} forbidden for one that breaks the rules
 */
export function redirectTarget(from: URL, location: string, access: HostAccess): URL {
  if (!URL.canParse(location, from.href)) throw refused(from, location, "it is no address");
  const next = new URL(location, from.href);
  const isPlain = next.protocol === "http:";
  if (next.protocol !== "https:" && !isPlain) throw refused(from, location, "its scheme is not allowed");
  if (isPlain && (from.protocol === "https:" || !access.mayBePlain(next.host))) {
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

async function fetchOnce(
  request: RegistryRequest,
  access: HostAccess,
  signal: AbortSignal,
): Promise<Response> {
  signal.throwIfAborted();
  const { url } = request;
  const tls = await access.tlsFor(url.host);
  const deadline = new Deadline();
  const { body, length } = prepareBody(request.body, deadline, signal);
  // `decompress`, `proxy` and `tls` are Bun's: bytes are hashed as they were sent, and hosts are reached as settings say
  const init: RequestInit & { decompress: false; proxy: string | false; tls?: FetchTls; duplex: "half" } = {
    method: request.method ?? "GET",
    redirect: "manual",
    decompress: false,
    proxy: access.proxyFor(url) ?? false,
    duplex: "half",
    signal: AbortSignal.any([signal, deadline.signal]),
    ...(tls && { tls }),
    headers: {
      "User-Agent": USER_AGENT,
      "Accept-Encoding": "identity",
      ...request.headers,
      ...(request.authorization !== undefined && { Authorization: request.authorization }),
      ...(length !== undefined && { "Content-Length": String(length) }),
    },
    ...(body !== undefined && { body }),
  };
  try {
    return await fetch(url, init);
  } catch (error) {
    signal.throwIfAborted();
    if (EngineError.is(error)) throw error;
    if (!deadline.signal.aborted) throw networkFailure(url.host, error);
    const why = `no answer from ${url.host} within ${deadline.ms / 1000} seconds`;
    throw new EngineError("unavailable", why, { cause: error });
  } finally {
    deadline.end();
  }
}

/** The bytes of a body as they go out: the clock for the answer starts with each of them. */
function prepareBody(
  body: RegistryRequest["body"],
  deadline: Deadline,
  signal: AbortSignal,
): { readonly body?: NonNullable<RequestInit["body"]>; readonly length?: number } {
  deadline.restart(HEADERS_MS);
  if (body === undefined) return {};
  if (typeof body === "string" || body instanceof Uint8Array) return { body: Buffer.from(body) };
  const chunks = body.bytes[Symbol.asyncIterator]();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      signal.throwIfAborted();
      const next = await chunks.next();
      deadline.restart(next.done ? DIGEST_MS : HEADERS_MS);
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await chunks.return?.();
    },
  });
  return { body: stream, ...(body.size !== undefined && { length: body.size }) };
}

/** Fires when nothing happened for too long, until it is over. */
class Deadline {
  readonly #late = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;
  ms = 0;

  get signal(): AbortSignal {
    return this.#late.signal;
  }

  restart(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.ms = ms;
    this.#timer = setTimeout(() => this.#late.abort(), ms);
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
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

/** What TLS says of a certificate that nobody we trust has signed. */
const UNTRUSTED = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

function networkFailure(host: string, error: unknown): EngineError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (UNTRUSTED.has(code)) {
    return new EngineError("unavailable", `${host}: its certificate is signed by an unknown authority`, {
      cause: error,
      hint: `put the certificate of its authority into /etc/docker/certs.d/${host}/ca.crt`,
    });
  }
  const why = REASONS.get(code) ?? (code !== "" ? code : errorMessage(error));
  return new EngineError("unavailable", `${host}: ${why}`, { cause: error });
}
