import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { discard, readBounded } from "./bounded-body.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { HostAccess } from "./host-access.ts";
import { type RegistryRequest, send } from "./transport.ts";

/** What a person proved to the registry with, as `X-Registry-Auth` carries it. */
export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** A refresh token. */
  | { readonly kind: "identity-token"; readonly token: string }
  /** A ready bearer token. */
  | { readonly kind: "registry-token"; readonly token: string };

export interface AuthorizerOptions {
  readonly credentials?: Credentials | undefined;
  readonly access: HostAccess;
  /** Asks for a refresh token too, to be kept in the password's place. */
  readonly wantsIdentityToken?: boolean;
}

/** What is asked for, in the words of token servers: `repository:library/app:pull`; several for a mount. */
export type Scopes = readonly string[];

const MAX_TOKEN_BYTES = 1024 * 1024;
const DEFAULT_LIFETIME_S = 60;
const CLIENT_ID = "darse";

/**
 * Answers the challenges of one host. The realm of its first Bearer challenge is the only one that is ever asked, and it
 * is asked for the scopes we want, not the ones the challenge names. Distribution spec, auth/token.md, auth/oauth.md.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #tokens = new Map<string, { readonly header: string; readonly expiresAt: number }>();
  #realm: string | undefined;
  #basic: string | undefined;
  #identityToken: string | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
    const { credentials } = options;
    if (credentials?.kind === "identity-token") this.#identityToken = credentials.token;
  }

  /** The refresh token that a token server gave, if it did. */
  get identityToken(): string | undefined {
    return this.#identityToken;
  }

  /** The header known for `scopes`, if any: nothing is sent before the registry asks. */
  header(scopes: Scopes): string | undefined {
    const { credentials } = this.#options;
    if (credentials?.kind === "registry-token") return `Bearer ${credentials.token}`;
    const known = this.#tokens.get(scopes.join(" "));
    if (known && known.expiresAt > Date.now()) return known.header;
    return this.#basic;
  }

  /**
   * The header that answers a 401 of the host itself. Of several challenges Bearer is answered before Basic.
   *
   * @returns `undefined` when there is nothing to answer with
   * @throws {EngineError} forbidden for a realm that breaks the rules, unauthorized when it refuses
   */
  async answer(response: Response, scopes: Scopes, signal: AbortSignal): Promise<string | undefined> {
    const challenges = parseChallenges(response.headers.get("www-authenticate") ?? "");
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    const { credentials } = this.#options;
    const hasBasic = challenges.some(({ scheme }) => scheme === "basic") && credentials?.kind === "password";
    if (bearer) {
      try {
        return await this.#bearer(bearer, scopes, { isPlain: response.url.startsWith("http:"), signal });
      } catch (error) {
        if (!hasBasic || !EngineError.is(error, "unauthorized")) throw error;
      }
    }
    if (!hasBasic) return undefined;
    this.#basic = basic(credentials.username, credentials.password);
    return this.#basic;
  }

  async #bearer(
    challenge: Challenge,
    scopes: Scopes,
    { isPlain, signal }: { readonly isPlain: boolean; readonly signal: AbortSignal },
  ): Promise<string> {
    const realm = this.#pin(challenge.parameters.get("realm") ?? "", isPlain);
    const asked = { realm, service: challenge.parameters.get("service") ?? "", scopes };
    const bytes = await this.#fetchToken(asked, signal);
    const fields = new Fields(
      parseJson(new TextDecoder().decode(bytes), `the token of ${realm.host}`),
      "token",
    );
    const token = fields.string("token") || fields.string("access_token");
    if (!token || /[\r\n]/.test(token)) throw new EngineError("unavailable", `${realm.host} gives no token`);
    const refresh = fields.string("refresh_token");
    if (refresh) this.#identityToken = refresh;
    const lifetime = fields.integer("expires_in") ?? DEFAULT_LIFETIME_S;
    const header = `Bearer ${token}`;
    const expiresAt = Date.now() + Math.max(lifetime, DEFAULT_LIFETIME_S) * 900;
    this.#tokens.set(scopes.join(" "), { header, expiresAt });
    return header;
  }

  /** By `POST` where a refresh token is exchanged, else by `GET`, or by `POST` where that is not served. */
  async #fetchToken(asked: TokenRequest, signal: AbortSignal): Promise<Uint8Array> {
    const { access, credentials } = this.#options;
    const ask = (request: RegistryRequest): Promise<Response> =>
      send({ ...request, followRedirects: false }, access, signal);
    let answer = await ask(
      this.#identityToken === undefined
        ? this.#getRequest(asked)
        : this.#refreshRequest(asked, this.#identityToken),
    );
    const isUnserved = answer.status === 404 || answer.status === 405;
    if (isUnserved && this.#identityToken === undefined && credentials?.kind === "password") {
      await discard(answer);
      const { username, password } = credentials;
      answer = await ask(this.#postRequest(asked, { grant_type: "password", username, password }));
    }
    const { host } = asked.realm;
    if (answer.ok) return await readBounded(answer, MAX_TOKEN_BYTES, `the token of ${host}`);
    await discard(answer);
    const isRefused = [400, 401, 403].includes(answer.status);
    throw new EngineError(
      isRefused ? "unauthorized" : "unavailable",
      `${host} gives no token: status ${answer.status}`,
    );
  }

  #pin(text: string, isPlain: boolean): URL {
    if (!URL.canParse(text)) throw new EngineError("forbidden", `the token realm "${text}" is no address`);
    const realm = new URL(text);
    const isAllowed =
      realm.protocol === "https:" ||
      (realm.protocol === "http:" && isPlain && this.#options.access.mayBePlain(realm.host));
    if (!isAllowed) throw new EngineError("forbidden", `the token realm "${text}" may not be asked`);
    const place = realm.origin + realm.pathname;
    this.#realm ??= place;
    if (this.#realm !== place)
      throw new EngineError("forbidden", `the token realm changed from "${this.#realm}" to "${place}"`);
    return realm;
  }

  #getRequest({ realm, service, scopes }: TokenRequest): RegistryRequest {
    const { credentials, wantsIdentityToken } = this.#options;
    const url = new URL(realm);
    if (service !== "") url.searchParams.set("service", service);
    for (const scope of scopes) url.searchParams.append("scope", scope);
    if (credentials?.kind !== "password") return { url };
    url.searchParams.set("account", credentials.username);
    if (wantsIdentityToken) {
      url.searchParams.set("offline_token", "true");
      url.searchParams.set("client_id", CLIENT_ID);
    }
    return { url, authorization: basic(credentials.username, credentials.password) };
  }

  #refreshRequest(asked: TokenRequest, token: string): RegistryRequest {
    return this.#postRequest(asked, { grant_type: "refresh_token", refresh_token: token });
  }

  #postRequest(
    { realm, service, scopes }: TokenRequest,
    grant: Readonly<Record<string, string>>,
  ): RegistryRequest {
    const form = new URLSearchParams({ ...grant, client_id: CLIENT_ID, service });
    if (scopes.length > 0) form.set("scope", scopes.join(" "));
    if (this.#options.wantsIdentityToken) form.set("access_type", "offline");
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    return { url: realm, method: "POST", headers, body: form.toString() };
  }
}

interface TokenRequest {
  readonly realm: URL;
  readonly service: string;
  readonly scopes: Scopes;
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
