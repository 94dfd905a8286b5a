import { type KeyObject, verify } from "node:crypto";
import { type Clock, systemClock } from "#base/clock.ts";
import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { Fault } from "../fault.ts";
import { findRepositoryName, type RepositoryName } from "../names.ts";
import type { Access, Guard, Permission } from "./guard.ts";
import type { TrustedKeys } from "./trusted-keys.ts";

export interface TokenOptions {
  /** Where clients get tokens. */
  readonly realm: string;
  /** What this registry is called there: the audience of its tokens. */
  readonly service: string;
  readonly issuer: string;
  readonly keys: TrustedKeys;
  readonly now?: Clock;
}

interface Algorithm {
  readonly hash: string | undefined;
  readonly fits: (key: KeyObject) => boolean;
}

/** An RSA key of fewer bits is no protection. */
const MIN_RSA_BITS = 2048;
const isRsa = (key: KeyObject): boolean =>
  key.asymmetricKeyType === "rsa" && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS;
const isCurve = (curve: string) => (key: KeyObject) =>
  key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === curve;

/**
 * The algorithms taken, each with the one kind of key that it is for, so that no key is used in another way than it was
 * meant for. Neither `none` nor shared secrets. RFC 7518, section 3.1.
 */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ["RS256", { hash: "sha256", fits: isRsa }],
  ["RS384", { hash: "sha384", fits: isRsa }],
  ["RS512", { hash: "sha512", fits: isRsa }],
  ["ES256", { hash: "sha256", fits: isCurve("prime256v1") }],
  ["ES384", { hash: "sha384", fits: isCurve("secp384r1") }],
  ["ES512", { hash: "sha512", fits: isCurve("secp521r1") }],
  ["EdDSA", { hash: undefined, fits: (key: KeyObject) => key.asymmetricKeyType === "ed25519" }],
]);

/** Clocks differ. */
const LEEWAY_MS = 60_000;

/** Takes tokens that a server elsewhere has signed. Docker's "Token Authentication Specification"; RFC 7519. */
export class TokenGuard implements Guard {
  readonly #options: TokenOptions;
  readonly #now: Clock;

  constructor(options: TokenOptions) {
    this.#options = options;
    this.#now = options.now ?? systemClock;
  }

  async check(authorization: string | undefined, wanted: readonly Access[]): Promise<Permission> {
    const [, token] = /^bearer +([A-Za-z0-9._-]+) *$/i.exec(authorization ?? "") ?? [];
    if (token === undefined) throw this.#refusal("authentication required", wanted);
    const claims = this.#verified(token);
    if (claims === undefined) throw this.#refusal("the token is not valid", wanted, "invalid_token");
    const granted = grants(claims);
    const isAllowed = wanted.every(({ type, name, actions }) => {
      const held = granted.get(`${type}:${name}`);
      return held !== undefined && actions.every((action) => held.has(action) || held.has("*"));
    });
    if (!isAllowed) throw this.#refusal("the token does not allow this", wanted, "insufficient_scope");
    return { user: claims.string("sub") ?? "", readable: readableBy(granted) };
  }

  /** The claims of a token that is ours, in time, and signed by a key that is trusted. */
  #verified(token: string): Fields | undefined {
    const [header = "", payload = "", signature = "", ...rest] = token.split(".");
    try {
      if (rest.length > 0 || !this.#isSigned(header, payload, signature)) return undefined;
      const claims = new Fields(decodePart(payload), "token");
      return this.#isForUs(claims) ? claims : undefined;
    } catch (error) {
      if (EngineError.is(error, "invalid")) return undefined;
      throw error;
    }
  }

  #isSigned(header: string, payload: string, signature: string): boolean {
    const fields = new Fields(decodePart(header), "token header");
    const algorithm = ALGORITHMS.get(fields.string("alg") ?? "");
    if (algorithm === undefined || fields.has("crit")) return false;
    const hint = { kid: fields.string("kid"), chain: fields.strings("x5c") };
    const signed = Buffer.from(`${header}.${payload}`);
    return this.#options.keys
      .candidates(hint, this.#now())
      .filter(algorithm.fits)
      .some((key) =>
        verify(
          algorithm.hash,
          signed,
          { key, dsaEncoding: "ieee-p1363" },
          Buffer.from(signature, "base64url"),
        ),
      );
  }

  #isForUs(claims: Fields): boolean {
    const { issuer, service } = this.#options;
    const audience = claims.raw("aud");
    const audiences: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
    const expires = claims.raw("exp");
    const notBefore = claims.raw("nbf") ?? 0;
    const now = this.#now();
    return (
      claims.string("iss") === issuer &&
      audiences.includes(service) &&
      typeof expires === "number" &&
      now < expires * 1000 + LEEWAY_MS &&
      typeof notBefore === "number" &&
      now >= notBefore * 1000 - LEEWAY_MS
    );
  }

  #refusal(message: string, wanted: readonly Access[], error?: string): Fault {
    const { realm, service } = this.#options;
    const scope = wanted.map(({ type, name, actions }) => `${type}:${name}:${actions.join(",")}`).join(" ");
    const parts = [`realm="${realm}"`, `service="${service}"`];
    if (scope !== "") parts.push(`scope="${scope}"`);
    if (error !== undefined) parts.push(`error="${error}"`);
    return new Fault("UNAUTHORIZED", message, {
      headers: { "WWW-Authenticate": `Bearer ${parts.join(",")}` },
    });
  }
}

function decodePart(part: string): unknown {
  return parseJson(Buffer.from(part, "base64url").toString("utf8"), "token");
}

/** What a token grants: actions by `type:name`. */
function grants(claims: Fields): ReadonlyMap<string, ReadonlySet<string>> {
  const granted = new Map<string, Set<string>>();
  const entries =
    claims.list("access", (value, path) => {
      const fields = new Fields(value, path);
      // `repository(plugin)`: the class is of no meaning here
      const type = (fields.string("type") ?? "").replace(/\(.*\)$/, "");
      return { key: `${type}:${fields.string("name") ?? ""}`, actions: fields.strings("actions") ?? [] };
    }) ?? [];
  for (const { key, actions } of entries)
    granted.set(key, new Set([...(granted.get(key) ?? []), ...actions]));
  return granted;
}

function readableBy(granted: ReadonlyMap<string, ReadonlySet<string>>): RepositoryName[] {
  return [...granted].flatMap(([key, actions]) => {
    const name = key.startsWith("repository:")
      ? findRepositoryName(key.slice("repository:".length))
      : undefined;
    return name !== undefined && (actions.has("pull") || actions.has("*")) ? [name] : [];
  });
}
