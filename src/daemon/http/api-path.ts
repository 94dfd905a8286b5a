import { ApiVersion, NEWEST_API, OLDEST_API } from "#api/version.ts";
import { EngineError } from "#base/errors.ts";

export interface ApiPath {
  readonly apiVersion: ApiVersion;
  /** Without the version. */
  readonly path: string;
}

/**
 * Takes `/v1.41` off the front of a path; a bare path is of the newest version.
 *
 * @throws {EngineError} invalid, in Docker's words, outside the versions we speak
 */
export function parseApiPath(path: string): ApiPath {
  const match = /^\/v([0-9.]+)(\/.*)$/.exec(path);
  if (!match) return { apiVersion: NEWEST_API, path };
  const [, text = "", rest = ""] = match;
  const version = ApiVersion.parse(text);
  if (version === undefined) throw new EngineError("invalid", `invalid version format: ${text}`);
  if (!NEWEST_API.atLeast(version.major, version.minor)) {
    throw new EngineError(
      "invalid",
      `client version ${text} is too new. Maximum supported API version is ${NEWEST_API.toString()}`,
    );
  }
  if (!version.atLeast(OLDEST_API.major, OLDEST_API.minor)) {
    throw new EngineError(
      "invalid",
      `client version ${text} is too old. Minimum supported API version is ${OLDEST_API.toString()}, please upgrade your client to a newer version`,
    );
  }
  return { apiVersion: version, path: rest };
}
