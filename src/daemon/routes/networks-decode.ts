import type { ApiVersion } from "#api/version.ts";
import { Fields } from "#base/decode.ts";
import { decodeTable } from "#container/field-table.ts";
import { ENDPOINT_CONFIG, type EndpointConfig } from "#container/host-config.ts";
import type { NetworkRequest, PoolRequest } from "#network/network-request.ts";

/** The body of `POST /networks/create`. @throws {EngineError} invalid, naming the field */
export function decodeNetworkRequest(body: unknown, version: ApiVersion): NetworkRequest {
  const fields = new Fields(body);
  const ipam = fields.object("IPAM");
  const entries = {
    driver: fields.string("Driver"),
    scope: fields.string("Scope"),
    hasIpv4: version.atLeast(1, 48) ? fields.boolean("EnableIPv4") : undefined,
    hasIpv6: fields.boolean("EnableIPv6"),
    isInternal: fields.boolean("Internal"),
    isAttachable: fields.boolean("Attachable"),
    isIngress: fields.boolean("Ingress"),
    isConfigOnly: fields.boolean("ConfigOnly"),
    configFrom: fields.object("ConfigFrom").string("Network"),
    ipamDriver: ipam.string("Driver"),
    ipamOptions: textsOf(ipam, "Options"),
    pools: ipam.list("Config", decodePool),
    options: textsOf(fields, "Options"),
    labels: textsOf(fields, "Labels"),
  };
  return { name: fields.string("Name") ?? "", ...withoutAbsent(entries) };
}

/** The body of `POST /networks/{id}/connect`. @throws {EngineError} invalid, naming the field */
export function decodeConnect(
  body: unknown,
  version: ApiVersion,
): { readonly container: string; readonly endpoint: EndpointConfig } {
  const fields = new Fields(body);
  const endpoint = decodeTable(ENDPOINT_CONFIG, fields.object("EndpointConfig"));
  // Older clients send back what inspect has shown them of another endpoint.
  const macAddress = version.atLeast(1, 54) ? endpoint.macAddress : undefined;
  return {
    container: fields.required("Container", fields.string("Container") || undefined),
    endpoint: { ...endpoint, macAddress },
  };
}

/** The body of `POST /networks/{id}/disconnect`. @throws {EngineError} invalid, naming the field */
export function decodeDisconnect(body: unknown): { readonly container: string; readonly force: boolean } {
  const fields = new Fields(body);
  return {
    container: fields.required("Container", fields.string("Container") || undefined),
    force: fields.boolean("Force") ?? false,
  };
}

function decodePool(value: unknown, path: string): PoolRequest {
  const fields = new Fields(value, path);
  return withoutAbsent({
    subnet: fields.string("Subnet") || undefined,
    range: fields.string("IPRange") || undefined,
    gateway: fields.string("Gateway") || undefined,
    auxiliary: textsOf(fields, "AuxiliaryAddresses") ?? textsOf(fields, "AuxAddress"),
  });
}

function textsOf(fields: Fields, key: string): Readonly<Record<string, string>> | undefined {
  const found = fields.stringMap(key);
  return found && Object.fromEntries(found);
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutAbsent<T extends object>(value: T): Present<T> {
  // Only keys without a value are taken away.
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as Present<T>;
}
