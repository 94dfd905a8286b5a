import type { RegistryAuth } from "#api/images.ts";
import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { ConfigFile, JsonObject } from "./config-file.ts";
import { isJsonObject } from "./config-file.ts";
import { CredentialHelper, TOKEN_USERNAME } from "./credential-helper.ts";
import { hostOfAddress } from "./registry-key.ts";

/** What signs in at one registry. */
export interface Login {
  readonly username?: string;
  readonly password?: string;
  /** Instead of a password: what the registry gave in exchange for it. */
  readonly identityToken?: string;
  readonly registryToken?: string;
}

/** Holds credentials outside of the file, for one call: JSON as `config.json` has it, `auths` alone. */
export const ENV_KEY = "DOCKER_AUTH_CONFIG";

/**
 * The credentials of registries, by address. For each it is asked, in this order: the environment, the helper named for
 * the address (`credHelpers`) or for all (`credsStore`), the file itself. Addresses are keys as `registry-key.ts` makes
 * them.
 */
export class Credentials {
  readonly #file: ConfigFile;
  readonly #env: ReadonlyMap<string, Login>;

  /** @throws {EngineError} invalid when the environment's text does not read */
  constructor(file: ConfigFile, env: Readonly<Record<string, string | undefined>>) {
    this.#file = file;
    this.#env = parseEnv(env[ENV_KEY]);
  }

  /** `undefined` when none are known for `address`. */
  async find(address: string): Promise<Login | undefined> {
    const given = this.#env.get(address);
    if (given) return given;
    const content = this.#file.read();
    const helper = helperFor(content, address);
    return helper ? await fromHelper(helper, address) : fromFile(content, address);
  }

  /** Everything that is known, by address: for a build, which may pull from anywhere. */
  async all(): Promise<Map<string, Login>> {
    const content = this.#file.read();
    const fields = new Fields(content);
    const store = fields.string("credsStore");
    const found = new Map<string, Login>();
    if (store) {
      const helper = new CredentialHelper(store);
      for (const address of await helper.list()) put(found, address, await fromHelper(helper, address));
    } else for (const address of auths(content).keys()) put(found, address, fromFile(content, address));
    for (const [address, name] of fields.stringMap("credHelpers") ?? []) {
      put(found, address, await fromHelper(new CredentialHelper(name), address));
    }
    return new Map([...found, ...this.#env]);
  }

  /** @returns where they lie now: in the file, as good as readable, or with a helper */
  async store(address: string, login: Login): Promise<"file" | "helper"> {
    const helper = helperFor(this.#file.read(), address);
    if (!helper) {
      this.#file.update((content) => withAuth(content, address, encodeAuth(login)));
      return "file";
    }
    const { username = "", password = "", identityToken } = login;
    await helper.store(
      address,
      identityToken ? { username: TOKEN_USERNAME, secret: identityToken } : { username, secret: password },
    );
    // As Docker does: the entry without its secret says that there is one.
    this.#file.update((content) => withAuth(content, address, {}));
    return "helper";
  }

  /** Forgets what is kept for `address`; nothing kept is fine. */
  async erase(address: string): Promise<void> {
    const content = this.#file.read();
    await helperFor(content, address)?.erase(address);
    if (auths(content).has(address)) this.#file.update((current) => withAuth(current, address, undefined));
  }
}

/** The form of `X-Registry-Auth`, before it is encoded. */
export function registryAuth(address: string, login: Login): RegistryAuth {
  return {
    username: login.username,
    password: login.password,
    serveraddress: address,
    identitytoken: login.identityToken,
    registrytoken: login.registryToken,
  };
}

function put(map: Map<string, Login>, address: string, login: Login | undefined): void {
  if (login) map.set(address, login);
}

function helperFor(content: JsonObject, address: string): CredentialHelper | undefined {
  const fields = new Fields(content);
  const name = fields.stringMap("credHelpers")?.get(address) ?? fields.string("credsStore");
  return name ? new CredentialHelper(name) : undefined;
}

async function fromHelper(helper: CredentialHelper, address: string): Promise<Login | undefined> {
  const found = await helper.find(address);
  if (!found) return undefined;
  const { username, secret } = found;
  return username === TOKEN_USERNAME ? { identityToken: secret } : { username, password: secret };
}

/** The entry of `address`, or one that an old client wrote with a scheme and a path. */
function fromFile(content: JsonObject, address: string): Login | undefined {
  const entries = auths(content);
  const entry = entries.get(address) ?? [...entries].find(([key]) => hostOfAddress(key) === address)?.[1];
  return entry && decodeAuth(entry, address);
}

function auths(content: JsonObject): Map<string, Fields> {
  return new Fields(content).map("auths", (value, path) => new Fields(value, path)) ?? new Map();
}

function withAuth(content: JsonObject, address: string, entry: JsonObject | undefined): JsonObject {
  const kept = isJsonObject(content["auths"]) ? content["auths"] : {};
  const { [address]: _, ...others } = kept;
  return { ...content, auths: entry ? { ...others, [address]: entry } : others };
}

/** `auth` is base64 of `user:password`. */
function encodeAuth({ username, password, identityToken, registryToken }: Login): JsonObject {
  return {
    ...((username || password) && { auth: Buffer.from(`${username}:${password ?? ""}`).toString("base64") }),
    ...(identityToken && { identitytoken: identityToken }),
    ...(registryToken && { registrytoken: registryToken }),
  };
}

/** `undefined` for an entry that holds nothing. @throws {EngineError} invalid */
function decodeAuth(entry: Fields, address: string): Login | undefined {
  const identityToken = entry.string("identitytoken");
  const registryToken = entry.string("registrytoken");
  const pair = entry.string("auth");
  const [username, password] = pair
    ? splitPair(pair, address)
    : [entry.string("username"), entry.string("password")];
  if (!username && !identityToken && !registryToken) return undefined;
  return {
    ...(username && { username }),
    ...(password && { password }),
    ...(identityToken && { identityToken }),
    ...(registryToken && { registryToken }),
  };
}

function splitPair(encoded: string, address: string): [string, string] {
  const text = Buffer.from(encoded, "base64").toString();
  const colon = text.indexOf(":");
  if (colon <= 0) {
    throw new EngineError("invalid", `Cannot read the credentials of ${address}: auth is not user:password`);
  }
  return [text.slice(0, colon), text.slice(colon + 1).replaceAll("\0", "")];
}

function parseEnv(text: string | undefined): Map<string, Login> {
  if (!text) return new Map();
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new EngineError("invalid", `Cannot read ${ENV_KEY}: it is not JSON`, { cause: error });
  }
  const found = new Map<string, Login>();
  for (const [address, entry] of new Fields(content, ENV_KEY).map(
    "auths",
    (value, path) => new Fields(value, path),
  ) ?? []) {
    const login = decodeAuth(entry, address);
    if (!login) throw new EngineError("invalid", `Cannot read ${ENV_KEY}: no auth for ${address}`);
    found.set(address, login);
  }
  return found;
}
