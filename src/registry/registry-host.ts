import { setTimeout as pause } from "node:timers/promises";
import { EngineError } from "#base/errors.ts";
import { Authorizer, type Credentials } from "./authorizer.ts";
import { discard } from "./bounded-body.ts";
import type { Endpoint } from "./endpoint.ts";
import { redirectTarget, type RegistryRequest, send } from "./transport.ts";
import type { HostAccess } from "./host-access.ts";
import type { Scopes } from "./token.ts";

export interface HostRequest extends Pick<RegistryRequest, "method" | "headers"> {
  /** Below the API (`library/app/tags/list`), or an address that the host itself gave. */
  readonly path: string | URL;
  readonly query?: Readonly<Record<string, string>>;
  readonly scopes: Scopes;
  /** Made anew for every time it is sent. */
  readonly body?: () => NonNullable<RegistryRequest["body"]>;
}

/** Who we are to a host. */
export interface HostIdentity {
  readonly credentials: Credentials | undefined;
  /** Asks for a refresh token, to be kept in the password's place. */
  readonly wantsIdentityToken?: boolean;
}

/** One host that speaks the distribution API: finds out how it is reached, and answers its challenges. */
export class RegistryHost {
  readonly endpoint: Endpoint;
  readonly #access: HostAccess;
  readonly #authorizer: Authorizer;
  #api: Promise<URL> | undefined;

  constructor(
    endpoint: Endpoint,
    access: HostAccess,
    { credentials, wantsIdentityToken = false }: HostIdentity,
  ) {
    this.endpoint = endpoint;
    this.#access = access;
    const shown = endpoint.isOrigin ? credentials : undefined;
    this.#authorizer = new Authorizer({ access, credentials: shown, wantsIdentityToken });
  }

  /** A refresh token that was given, if one was. */
  get identityToken(): string | undefined {
    return this.#authorizer.identityToken;
  }

  /** For messages. */
  get name(): string {
    return this.endpoint.apis[0]?.host ?? "";
  }

  /** Finds out how the host speaks, once. Succeeds when it answers at all, also with 401. */
  async open(signal: AbortSignal): Promise<URL> {
    this.#api ??= this.#probe(signal);
    try {
      return await this.#api;
    } catch (error) {
      this.#api = undefined;
      throw error;
    }
  }

  /** One request; a 401 of the host itself is answered once, where there is something to answer with. */
  async request(request: HostRequest, signal: AbortSignal): Promise<Response> {
    const { scopes, method = "GET", body } = request;
    const url = await this.#urlOf(request, signal);
    const isHome = url.origin === (await this.open(signal)).origin;
    const headers = { ...(isHome && this.endpoint.headers), ...request.headers };
    const ask = (authorization: string | undefined): Promise<Response> =>
      patiently(
        () => send({ url, method, headers, authorization, body: body?.() }, this.#access, signal),
        // in a mirror's place the next host is asked
        this.endpoint.isOrigin ? MAX_WAITS : 0,
        signal,
      );
    const shown = isHome ? await this.#authorizer.header(scopes, signal) : undefined;
    const response = await ask(shown);
    // a 401 from where the host redirected to is not the host's own: it gets no answer
    if (response.status !== 401 || !isHome || new URL(response.url).origin !== url.origin) return response;
    this.#authorizer.learn(response, scopes, shown);
    const authorization = await this.#authorizer.header(scopes, signal);
    if (authorization === undefined || authorization === shown) return response;
    await discard(response);
    return await ask(authorization);
  }

  /**
   * An address that an answer of the host named, by the rules of redirects. One that differs from the host's own by a
   * plain scheme alone (a registry behind a proxy that ends TLS) is taken to be the host's own.
   *
   * @throws {EngineError} forbidden for one that breaks the rules
   */
  async locate(location: string, signal: AbortSignal): Promise<URL> {
    const api = await this.open(signal);
    if (URL.canParse(location, api.href)) {
      const target = new URL(location, api);
      if (target.protocol === "http:" && api.protocol === "https:" && target.hostname === api.hostname) {
        target.protocol = "https:";
        target.port = api.port;
        return target;
      }
    }
    return redirectTarget(api, location, this.#access);
  }

  async #urlOf({ path, query = {} }: HostRequest, signal: AbortSignal): Promise<URL> {
    const api = await this.open(signal);
    const url = new URL(path, api);
    const { namespace } = this.endpoint;
    if (namespace !== undefined && typeof path === "string") url.searchParams.set("ns", namespace);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  }

  /** The first address that answers; where none does the failure of the first says why. */
  async #probe(signal: AbortSignal): Promise<URL> {
    const { apis, headers } = this.endpoint;
    const failures: unknown[] = [];
    for (const api of apis) {
      try {
        const response = await send({ url: api, headers }, this.#access, signal);
        await discard(response);
        const isOwn = new URL(response.url).origin === api.origin;
        if (response.status === 401 && isOwn) this.#authorizer.learn(response, [], undefined);
        // so servers of TLS answer to plain HTTP
        const isWrongDoor = response.status === 400 && api.protocol === "http:";
        if (!isWrongDoor || failures.length === 0) return api;
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
      }
    }
    throw failures[0] ?? new EngineError("unavailable", "no address is known");
  }
}

/** A host may ask for patience so often, and for so long; who is told to come back tomorrow is told so. */
const MAX_WAITS = 3;
const MAX_WAIT_S = 30;

/** Comes back when a host that has too much to do says when (`Retry-After`). RFC 6585, 429. */
async function patiently(
  ask: () => Promise<Response>,
  maxWaits: number,
  signal: AbortSignal,
): Promise<Response> {
  for (let waits = 0; ; waits++) {
    const response = await ask();
    const seconds = /^\d{1,4}$/.exec(response.headers.get("retry-after") ?? "")?.[0];
    const isBusy = response.status === 429 || response.status === 503;
    if (!isBusy || seconds === undefined || Number(seconds) > MAX_WAIT_S || waits === maxWaits)
      return response;
    await discard(response);
    await pause(Number(seconds) * 1000, undefined, { signal });
  }
}
