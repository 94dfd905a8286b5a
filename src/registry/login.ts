import { EngineError } from "#base/errors.ts";
import type { Credentials } from "./authorizer.ts";
import { discard } from "./bounded-body.ts";
import { ownEndpoint } from "./endpoint.ts";
import { HostAccess } from "./host-access.ts";
import { RegistryHost } from "./registry-host.ts";
import type { RegistrySettings } from "./settings.ts";

export interface LoginOptions {
  /** As people and clients write it: `https://index.docker.io/v1/`, `localhost:5000`, empty for Docker's own. */
  readonly server: string;
  readonly credentials: Credentials | undefined;
  readonly settings: RegistrySettings;
}

/**
 * Proves to a registry who we are.
 *
 * @returns a token to keep in the password's place, when the registry gives one
 * @throws {EngineError} unauthorized when it does not believe us; unavailable when it is no registry
 */
export async function login(
  { server, credentials, settings }: LoginOptions,
  signal: AbortSignal,
): Promise<{ readonly identityToken: string | undefined }> {
  const access = new HostAccess(settings);
  const endpoint = await ownEndpoint(domainOf(server), access);
  const host = new RegistryHost(endpoint, access, { credentials, wantsIdentityToken: true });
  const api = await host.open(signal);
  const attempt = `Get "${api.href}"`;
  try {
    const response = await host.request({ path: api, scopes: [] }, signal);
    await discard(response);
    if (response.status === 200) return { identityToken: host.identityToken };
    if (response.status !== 401 && response.status !== 403)
      throw new EngineError(
        "unavailable",
        `${attempt}: status ${response.status} is no answer of a registry`,
      );
  } catch (error) {
    if (!EngineError.is(error, "unauthorized")) throw error;
  }
  throw new EngineError("unauthorized", `${attempt}: unauthorized: incorrect username or password`);
}

/** The domain that an address of a registry means. [docker/cli cli/config/credentials] */
export function domainOf(server: string): string {
  const bare = server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return bare === "" || bare === "index.docker.io" || bare === "registry-1.docker.io" ? "docker.io" : bare;
}
