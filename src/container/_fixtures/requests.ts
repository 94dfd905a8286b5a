import { Fields } from "#base/decode.ts";
import { CONTAINER_CONFIG } from "../container-config.ts";
import type { CreateRequest } from "../creation.ts";
import { decodeTable } from "../field-table.ts";
import { ENDPOINT_CONFIG, HOST_CONFIG } from "../host-config.ts";

/** A create request from the API's own words; the image is busybox unless told otherwise. */
export function createRequest(
  config: Readonly<Record<string, unknown>>,
  host: Readonly<Record<string, unknown>> = {},
  options: { readonly name?: string; readonly endpoints?: Readonly<Record<string, object>> } = {},
): CreateRequest {
  const { name, endpoints = {} } = options;
  return {
    ...(name !== undefined && { name }),
    config: decodeTable(CONTAINER_CONFIG, new Fields({ Image: "busybox", ...config })),
    hostConfig: decodeTable(HOST_CONFIG, new Fields({ NetworkMode: "none", ...host })),
    endpoints: new Map(
      Object.entries(endpoints).map(
        ([key, value]) => [key, decodeTable(ENDPOINT_CONFIG, new Fields(value))] as const,
      ),
    ),
  };
}
