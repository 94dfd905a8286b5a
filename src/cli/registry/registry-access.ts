import type { Credentials } from "#registry/authorizer.ts";
import { proxiesFrom } from "#registry/proxy.ts";
import { HOST_FOLDERS, PLAIN_SETTINGS, type RegistrySettings } from "#registry/settings.ts";
import type { Login } from "../config/credentials.ts";
import type { Context } from "../context.ts";

/** How this process, no engine, speaks to registries. @param insecure domains for which plain HTTP will do */
export function ownRegistrySettings(
  { env }: Pick<Context, "env">,
  insecure: readonly string[] = [],
): RegistrySettings {
  return { ...PLAIN_SETTINGS, insecure, hostFolders: HOST_FOLDERS, proxies: proxiesFrom(env) };
}

/** What is kept, in the form of the client of registries; the most particular counts. */
export function asCredentials(login: Login): Credentials | undefined {
  const { username, password, identityToken, registryToken } = login;
  if (registryToken) return { kind: "registry-token", token: registryToken };
  if (identityToken) return { kind: "identity-token", token: identityToken };
  return username ? { kind: "password", username, password: password ?? "" } : undefined;
}
