import { EngineError } from "#base/errors.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { HostAccess } from "./host-access.ts";
import { basicHeader, fetchToken, type Scopes } from "./token.ts";

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

/** What the host wants to see, by its last 401. */
interface Demand {
  readonly challenges: readonly Challenge[];
  /** It was said in plain HTTP. */
  readonly isPlain: boolean;
}

/** A token server has this long. */
const TOKEN_MS = 60_000;

/**
 * Answers the challenges of one host. The realm of its first Bearer challenge is the only one that is ever asked, and it
 * is asked for the scopes we want, not the ones the challenge names; once for each, however many requests wait for it.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #tokens = new Map<string, { readonly header: string; readonly expiresAt: number }>();
  readonly #asking = new Map<string, Promise<string>>();
  #demand: Demand | undefined;
  #realm: string | undefined;
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

  /** Takes note of what a 401 of the host itself asks for, and that what was sent with it is not it. */
  learn(response: Response, scopes: Scopes, refused: string | undefined): void {
    const challenges = parseChallenges(response.headers.get("www-authenticate") ?? "");
    if (challenges.length > 0) this.#demand = { challenges, isPlain: response.url.startsWith("http:") };
    const key = scopes.join(" ");
    if (this.#tokens.get(key)?.header === refused) this.#tokens.delete(key);
  }

  /**
   * What the host wants to see for `scopes`. Nothing before it has asked; of several challenges Bearer is answered before
   * Basic.
   *
   * @returns `undefined` when there is nothing to answer with
   * @throws {EngineError} forbidden for a realm that breaks the rules, unauthorized when it refuses
   */
  async header(scopes: Scopes, signal: AbortSignal): Promise<string | undefined> {
    const { credentials } = this.#options;
    if (credentials?.kind === "registry-token") return `Bearer ${credentials.token}`;
    if (!this.#demand) return undefined;
    const { challenges, isPlain } = this.#demand;
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    const hasBasic = challenges.some(({ scheme }) => scheme === "basic") && credentials?.kind === "password";
    const basic = hasBasic ? basicHeader(credentials.username, credentials.password) : undefined;
    if (!bearer) return basic;
    try {
      return await this.#token(bearer, scopes, { isPlain, signal });
    } catch (error) {
      if (basic === undefined || !EngineError.is(error, "unauthorized")) throw error;
      return basic;
    }
  }

  async #token(
    challenge: Challenge,
    scopes: Scopes,
    { isPlain, signal }: { readonly isPlain: boolean; readonly signal: AbortSignal },
  ): Promise<string> {
    const key = scopes.join(" ");
    const known = this.#tokens.get(key);
    if (known && known.expiresAt > Date.now()) return known.header;
    const realm = this.#pin(challenge.parameters.get("realm") ?? "", isPlain);
    const service = challenge.parameters.get("service") ?? "";
    const asking = this.#asking.get(key) ?? this.#ask(key, { realm, service, scopes });
    return await unlessAborted(asking, signal);
  }

  #ask(key: string, asked: { realm: URL; service: string; scopes: Scopes }): Promise<string> {
    // who waits may go; the others still want it
    const asking = this.#fetch(key, asked).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #fetch(key: string, asked: { realm: URL; service: string; scopes: Scopes }): Promise<string> {
    const { access, credentials, wantsIdentityToken = false } = this.#options;
    const question = {
      ...asked,
      refreshToken: this.#identityToken,
      user: credentials?.kind === "password" ? credentials : undefined,
      wantsRefreshToken: wantsIdentityToken,
    };
    const { text, lifetimeS, refreshToken } = await fetchToken(
      question,
      access,
      AbortSignal.timeout(TOKEN_MS),
    );
    if (refreshToken !== undefined) this.#identityToken = refreshToken;
    const header = `Bearer ${text}`;
    // nine tenths: it is still good when it arrives
    this.#tokens.set(key, { header, expiresAt: Date.now() + lifetimeS * 900 });
    return header;
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
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  // its failure is seen by those who stay
  work.catch(() => undefined);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
