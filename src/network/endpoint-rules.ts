import { EngineError } from "#base/errors.ts";
import { VERSION } from "./address-pool.ts";
import { isPredefined } from "./network-record.ts";
import type { NetworkInfo } from "./network-record.ts";
import type { EndpointRequest } from "./network-request.ts";
import { contains, familyOf, parseAddress, parseSubnet } from "./subnet.ts";
import type { Family } from "./subnet.ts";

/** Six bytes; an odd first one would be a group of stations. */
const STATION_MAC = /^[0-9a-f][02468ace](?:[:-][0-9a-f]{2}){5}$/i;

/** A setting of the interface in the namespace, as `com.docker.network.endpoint.sysctls` has it. */
export interface InterfaceSetting {
  /** `net.ipv4.conf.IFNAME.log_martians` */
  readonly name: string;
  readonly value: string;
}

/**
 * Refuses what a network can not do for an endpoint, before anything is made. Texts: moby daemon/container_operations.go.
 *
 * @throws {EngineError} invalid
 */
export function checkEndpoint(network: NetworkInfo, request: Omit<EndpointRequest, "network">): void {
  const { mac, ipv4, ipv6, linkLocal = [], options } = request;
  if (network.isConfigOnly) {
    throw new EngineError(
      "forbidden",
      `Cannot join network ${network.name}: it is nothing but settings for others`,
    );
  }
  if (mac !== undefined && !STATION_MAC.test(mac)) {
    const message = `Cannot use MAC address ${JSON.stringify(mac)}: it is not one of a station`;
    throw new EngineError("invalid", message);
  }
  const isFixed = Boolean(ipv4) || Boolean(ipv6);
  const faults = [
    ...(isFixed && isPredefined(network.name)
      ? ["user-specified IP address is supported on user-defined networks only"]
      : [...addressFaults(network, "ipv4", ipv4), ...addressFaults(network, "ipv6", ipv6)]),
    ...linkLocal.filter((one) => !isAddress(one)).map((one) => `invalid link-local IP address: ${one}`),
    ...settingFaults(options),
  ];
  if (faults.length === 0) return;
  throw new EngineError("invalid", `invalid endpoint settings:\n${faults.join("\n")}`);
}

/** The settings that an endpoint asks for; those of a request that `checkEndpoint` took. */
export function interfaceSettings(options: Readonly<Record<string, string>> = {}): InterfaceSetting[] {
  const text = options["com.docker.network.endpoint.sysctls"] ?? "";
  return text
    .split(",")
    .filter((one) => one !== "")
    .map((one) => {
      const equals = one.indexOf("=");
      return { name: one.slice(0, equals).trim(), value: one.slice(equals + 1).trim() };
    });
}

function addressFaults(network: NetworkInfo, family: Family, address: string | undefined): string[] {
  if (!address) return [];
  if (!isAddress(address) || familyOf(address) !== family || parseAddress(address) === 0n) {
    return [`invalid ${VERSION[family]} address: ${address}`];
  }
  if (network.pools.some(({ subnet }) => contains(parseSubnet(subnet), address))) return [];
  return [`no configured subnet contains IP address ${address}`];
}

function settingFaults(options: Readonly<Record<string, string>> | undefined): string[] {
  const text = options?.["com.docker.network.endpoint.sysctls"] ?? "";
  return text
    .split(",")
    .filter((one) => one !== "" && !SETTING.test(one.trim()))
    .map(
      (one) =>
        `unrecognised network interface sysctl '${one}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
    );
}

/** The name stays below the interface's own directory, whatever its parts are called. */
const SETTING = /^net\.(ipv4|ipv6|mpls)\.[a-z0-9_]+\.(IFNAME|ifname)\.[a-z0-9_]+=[\w.:\t -]*$/;

function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch (error) {
    if (EngineError.is(error, "invalid")) return false;
    throw error;
  }
}
