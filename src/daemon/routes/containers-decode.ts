import { Fields } from "#base/decode.ts";
import { CONTAINER_CONFIG } from "#container/container-config.ts";
import type { CreateRequest } from "#container/creation.ts";
import { decodeTable } from "#container/field-table.ts";
import { ENDPOINT_CONFIG, HOST_CONFIG } from "#container/host-config.ts";
import { parsePlatform } from "#oci/platform.ts";

/**
 * Reads the body of `POST /containers/create`: the fields of Config at top level, HostConfig and NetworkingConfig beside
 * them.
 *
 * @throws {EngineError} invalid, naming the field
 */
export function decodeCreateRequest(body: unknown, query: URLSearchParams): CreateRequest {
  const fields = new Fields(body);
  const name = query.get("name");
  const platform = query.get("platform");
  const config = decodeTable(CONTAINER_CONFIG, fields);
  const endpoints = fields
    .object("NetworkingConfig")
    .map("EndpointsConfig", (value, path) => decodeTable(ENDPOINT_CONFIG, new Fields(value, path)));
  return {
    ...(name && { name }),
    ...(platform && { platform: parsePlatform(platform) }),
    config,
    hostConfig: decodeTable(HOST_CONFIG, fields.object("HostConfig")),
    endpoints: endpoints ?? new Map(),
  };
}
