import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { discard, readBounded } from "./bounded-body.ts";
import type { HostAccess } from "./host-access.ts";
import { type RegistryRequest, send } from "./transport.ts";

/** What is asked for, in the words of token servers: `repository:library/app:pull`; several for a mount. */
export type Scopes = readonly string[];

/** A question to a token server. Distribution spec, auth/token.md, auth/oauth.md. */
export interface TokenQuestion {
  readonly realm: URL;
  readonly service: string;
  readonly scopes: Scopes;
  /** Who asks; nobody in particular when neither is given. The refresh token comes first. */
  readonly refreshToken: string | undefined;
  readonly user: { readonly username: string; readonly password: string } | undefined;
  /** Asks for a refresh token too, to be kept in the password's place. */
  readonly wantsRefreshToken: boolean;
}

export interface Token {
  readonly text: string;
  readonly lifetimeS: number;
  readonly refreshToken: string | undefined;
}

const MAX_TOKEN_BYTES = 1024 * 1024;
const DEFAULT_LIFETIME_S = 60;
const CLIENT_ID = "darse";

/**
 * Asks by `POST` where a refresh token is exchanged, else by `GET`, or by `POST` where that is not served.
 *
 * @throws {EngineError} unauthorized when it is refused; unavailable when there is no answer that is one
 */
export async function fetchToken(
  question: TokenQuestion,
  access: HostAccess,
  signal: AbortSignal,
): Promise<Token> {
  const { realm, user, refreshToken } = question;
  const ask = (request: RegistryRequest): Promise<Response> =>
    send({ ...request, followRedirects: false }, access, signal);
  let answer = await ask(
    refreshToken === undefined
      ? getRequest(question)
      : postRequest(question, { grant_type: "refresh_token", refresh_token: refreshToken }),
  );
  if ((answer.status === 404 || answer.status === 405) && refreshToken === undefined && user) {
    await discard(answer);
    answer = await ask(
      postRequest(question, { grant_type: "password", username: user.username, password: user.password }),
    );
  }
  if (answer.ok)
    return decodeToken(await readBounded(answer, MAX_TOKEN_BYTES, `the token of ${realm.host}`), realm);
  await discard(answer);
  throw new EngineError(
    [400, 401, 403].includes(answer.status) ? "unauthorized" : "unavailable",
    `${realm.host} gives no token: status ${answer.status}`,
  );
}

export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function decodeToken(bytes: Uint8Array, realm: URL): Token {
  const json = parseJson(new TextDecoder().decode(bytes), `the token of ${realm.host}`);
  const fields = new Fields(json, "token");
  const text = fields.string("token") || fields.string("access_token");
  if (!text || /[\r\n]/.test(text)) throw new EngineError("unavailable", `${realm.host} gives no token`);
  const lifetimeS = Math.max(fields.integer("expires_in") ?? 0, DEFAULT_LIFETIME_S);
  return { text, lifetimeS, refreshToken: fields.string("refresh_token") || undefined };
}

function getRequest({ realm, service, scopes, user, wantsRefreshToken }: TokenQuestion): RegistryRequest {
  const url = new URL(realm);
  if (service !== "") url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (!user) return { url };
  url.searchParams.set("account", user.username);
  if (wantsRefreshToken) {
    url.searchParams.set("offline_token", "true");
    url.searchParams.set("client_id", CLIENT_ID);
  }
  return { url, authorization: basicHeader(user.username, user.password) };
}

function postRequest(
  { realm, service, scopes, wantsRefreshToken }: TokenQuestion,
  grant: Readonly<Record<string, string>>,
): RegistryRequest {
  const form = new URLSearchParams({ ...grant, client_id: CLIENT_ID, service });
  if (scopes.length > 0) form.set("scope", scopes.join(" "));
  if (wantsRefreshToken) form.set("access_type", "offline");
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  return { url: realm, method: "POST", headers, body: form.toString() };
}
