import type { RegistryAuth } from "#api/images.ts";
import { EngineError, type ErrorKind } from "#base/errors.ts";
import type { Context } from "../context.ts";
import { ConfigFile } from "./config-file.ts";
import { Credentials, registryAuth } from "./credentials.ts";
import { keyOfDomain } from "./registry-key.ts";

/** The credentials of the person who called us. */
export function credentialsOf({ configFolder, env }: Pick<Context, "configFolder" | "env">): Credentials {
  return new Credentials(new ConfigFile(configFolder), env);
}

/**
 * `X-Registry-Auth` for images of `domain`; `undefined` when none are known. A file that does not read is told of, and
 * nobody signs in: what is public can be had all the same.
 */
export async function authHeaderFor(context: Context, domain: string): Promise<string | undefined> {
  const address = keyOfDomain(domain);
  const login = await warned(context, ["invalid"], () => credentialsOf(context).find(address));
  return login && encodeHeader(registryAuth(address, login));
}

/** `X-Registry-Config`: everything that can be had, for a build, which most often needs none of it. */
export async function configHeader(context: Context): Promise<string | undefined> {
  const logins = await warned(context, ["invalid", "unavailable"], () => credentialsOf(context).all());
  if (!logins || logins.size === 0) return undefined;
  return encodeHeader(
    Object.fromEntries([...logins].map(([address, login]) => [address, registryAuth(address, login)])),
  );
}

/** Base64 of JSON, with the URL's alphabet and with padding, as Go encodes it. */
function encodeHeader(value: RegistryAuth | Readonly<Record<string, RegistryAuth>>): string {
  const text = Buffer.from(JSON.stringify(value)).toString("base64");
  return text.replaceAll("+", "-").replaceAll("/", "_");
}

/** Failures of these kinds are told of, and `undefined` stands for what could not be had. */
async function warned<T>(
  context: Context,
  kinds: readonly ErrorKind[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!EngineError.is(error) || !kinds.includes(error.kind)) throw error;
    context.error.write(`WARNING: ${error.message}\n`);
    return undefined;
  }
}
