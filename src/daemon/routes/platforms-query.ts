import { parseJson } from "#base/decode.ts";
import { decodePlatform, type Platform } from "#oci/platform.ts";

/** A parameter that may be there several times, each a platform as JSON. @throws {EngineError} invalid */
export function platformsQuery(query: URLSearchParams, name: string): Platform[] {
  return query
    .getAll(name)
    .filter((text) => text !== "")
    .map((text) => decodePlatform(parseJson(text, name), name));
}
