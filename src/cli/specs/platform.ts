import { parsePlatform } from "#oci/platform.ts";
import type { Context } from "../context.ts";

/** `linux/arm64/v8` as the API's parameters have it: JSON of an OCI platform. @throws {EngineError} invalid */
export function platformJson(text: string): string {
  return JSON.stringify(parsePlatform(text));
}

/** `--platform`, or the one that the environment has for every command that makes or fetches something. */
export function platformOf(flag: string | undefined, { env }: Pick<Context, "env">): string | undefined {
  return flag ?? (env["DOCKER_DEFAULT_PLATFORM"] || undefined);
}
