import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { discard, readBounded } from "./bounded-body.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { mayBePlain } from "./endpoint.ts";
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
  readonly plainHosts: readonly string[];
}

const MAX_TOKEN_BYTES = 1024 * 1024;
const DEFAULT_LIFETIME_S = 60;
const CLIENT_ID = "darse";

/**
 * Answers the challenges of one registry. The realm of its first Bearer challenge is the only one that is ever asked,
 * and it is asked for the scope we want, not the one the challenge names. Distribution spec, auth/token.md.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #tokens = new Map<string, { readonly header: string; readonly expiresAt: number }>();
  #realm: string | undefined;
  #basic: string | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The header known for `scope`, if any: nothing is sent before the registry asks. */
  header(scope: string): string | undefined {
    const { credentials } = this.#options;
    if (credentials?.kind === "registry-token") return `Bearer ${credentials.token}`;
    const known = this.#tokens.get(scope);
    if (known && known.expiresAt > Date.now()) return known.header;
    return this.#basic;
  }

  /**
   * The header that answers a 401 of the registry itself.
   *
   * @returns `undefined` when there is nothing to answer with
   * @throws {EngineError} forbidden for a realm that breaks the rules, unauthorized when it refuses
   */
  async answer(response: Response, scope: string, signal: AbortSignal): Promise<string | undefined> {
    const challenges = parseChallenges(response.headers.get("www-authenticate") ?? "");
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    if (bearer)
      return await this.#bearer(bearer, scope, { isPlain: response.url.startsWith("http:"), signal });
    const { credentials } = this.#options;
    if (!challenges.some((challenge) => challenge.scheme === "basic") || credentials?.kind !== "password")
      return undefined;
    this.#basic = basic(credentials.username, credentials.password);
    return this.#basic;
  }

  async #bearer(
    challenge: Challenge,
    scope: string,
    { isPlain, signal }: { readonly isPlain: boolean; readonly signal: AbortSignal },
  ): Promise<string> {
    const realm = this.#pin(challenge.parameters.get("realm") ?? "", isPlain);
    const request = this.#tokenRequest(realm, challenge.parameters.get("service") ?? "", scope);
    const answer = await send({ ...request, followRedirects: false }, this.#options.plainHosts, signal);
    if (!answer.ok) {
      await discard(answer);
      throw new EngineError(
        answer.status === 401 || answer.status === 403 ? "unauthorized" : "unavailable",
        `${realm.host} gives no token: status ${answer.status}`,
      );
    }
    const bytes = await readBounded(answer, MAX_TOKEN_BYTES, `the token of ${realm.host}`);
    const fields = new Fields(
      parseJson(new TextDecoder().decode(bytes), `the token of ${realm.host}`),
      "token",
    );
    const token = fields.string("token") || fields.string("access_token");
    if (!token || /[\r\n]/.test(token)) throw new EngineError("unavailable", `${realm.host} gives no token`);
    const lifetime = fields.integer("expires_in") ?? DEFAULT_LIFETIME_S;
    const header = `Bearer ${token}`;
    this.#tokens.set(scope, { header, expiresAt: Date.now() + Math.max(lifetime, DEFAULT_LIFETIME_S) * 900 });
    return header;
  }

  #pin(text: string, isPlain: boolean): URL {
    if (!URL.canParse(text)) throw new EngineError("forbidden", `the token realm "${text}" is no address`);
    const realm = new URL(text);
    const isAllowed =
      realm.protocol === "https:" ||
      (realm.protocol === "http:" && isPlain && mayBePlain(realm.host, this.#options.plainHosts));
    if (!isAllowed) throw new EngineError("forbidden", `the token realm "${text}" may not be asked`);
    const place = realm.origin + realm.pathname;
    this.#realm ??= place;
    if (this.#realm !== place)
      throw new EngineError("forbidden", `the token realm changed from "${this.#realm}" to "${place}"`);
    return realm;
  }

  #tokenRequest(realm: URL, service: string, scope: string): RegistryRequest {
    const { credentials } = this.#options;
    if (credentials?.kind === "identity-token") {
      const form = new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token: credentials.token,
        client_id: CLIENT_ID,
        service,
        scope,
      });
      const headers = { "Content-Type": "application/x-www-form-urlencoded" };
      return { url: realm, method: "POST", headers, body: form.toString() };
    }
    const url = new URL(realm);
    if (service !== "") url.searchParams.set("service", service);
    url.searchParams.set("scope", scope);
    const isKnown = credentials?.kind === "password";
    return { url, ...(isKnown && { authorization: basic(credentials.username, credentials.password) }) };
  }
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
