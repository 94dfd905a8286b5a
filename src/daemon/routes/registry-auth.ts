import type { RegistryAuth } from "#api/images.ts";
import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Credentials } from "#registry/authorizer.ts";

/** What `X-Registry-Auth` holds; text that cannot be read means nobody, as in Docker. */
export function credentialsFrom(headers: ReadonlyMap<string, string>): Credentials | undefined {
  try {
    const text = Buffer.from(headers.get("x-registry-auth") ?? "", "base64url").toString();
    return credentialsOf(decodeAuth(text === "" ? undefined : parseJson(text, "X-Registry-Auth")));
  } catch (error) {
    if (!EngineError.is(error, "invalid")) throw error;
    return undefined;
  }
}

/** Of what was given the most particular counts. */
export function credentialsOf(auth: RegistryAuth): Credentials | undefined {
  if (auth.registrytoken) return { kind: "registry-token", token: auth.registrytoken };
  if (auth.identitytoken) return { kind: "identity-token", token: auth.identitytoken };
  if (!auth.username) return undefined;
  return { kind: "password", username: auth.username, password: auth.password ?? "" };
}

/** @throws {EngineError} invalid, naming the field */
export function decodeAuth(value: unknown): RegistryAuth {
  const fields = new Fields(value);
  return {
    username: fields.string("username"),
    password: fields.string("password"),
    serveraddress: fields.string("serveraddress"),
    identitytoken: fields.string("identitytoken"),
    registrytoken: fields.string("registrytoken"),
  };
}
