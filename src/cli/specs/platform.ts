import { parsePlatform } from "#oci/platform.ts";

/** `linux/arm64/v8` as the API's parameters have it: JSON of an OCI platform. @throws {EngineError} invalid */
export function platformJson(text: string): string {
  return JSON.stringify(parsePlatform(text));
}
