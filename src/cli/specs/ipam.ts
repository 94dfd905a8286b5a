import type { IpamPoolRequest } from "#api/networks.ts";
import { EngineError } from "#base/errors.ts";
import { checkAddress, findSubnet, type Subnet, subnetHolds } from "./subnet.ts";

export interface IpamFlags {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  /** By name. */
  readonly auxAddresses: Readonly<Record<string, string>>;
}

interface Pool {
  readonly text: string;
  readonly subnet: Subnet;
  range?: string;
  gateway?: string;
  readonly aux: Record<string, string>;
}

/**
 * The pools of `network create`: each range, gateway and auxiliary address goes to the subnet that holds it.
 *
 * @throws {EngineError} invalid, in Docker's words (cli/command/network/create.go)
 */
export function parseIpam(flags: IpamFlags): IpamPoolRequest[] {
  const { subnets, ranges, gateways, auxAddresses } = flags;
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new EngineError("invalid", "every ip-range or gateway must have a corresponding subnet");
  }
  const pools = parsePools(subnets);
  for (const range of ranges) {
    if (!findSubnet(range)) throw invalidCidr(range);
    const pool = poolOf(pools, range, "range");
    if (pool.range !== undefined) throw taken("ranges", { one: range, other: pool.range, pool });
    pool.range = range;
  }
  for (const gateway of gateways.map(checkAddress)) {
    const pool = poolOf(pools, gateway, "gateway");
    if (pool.gateway !== undefined) throw taken("gateways", { one: gateway, other: pool.gateway, pool });
    pool.gateway = gateway;
  }
  for (const [name, address] of Object.entries(auxAddresses)) {
    if (address !== "") poolOf(pools, checkAddress(address), "aux-address").aux[name] = address;
  }
  return pools.map(({ text, range, gateway, aux }) => ({
    Subnet: text,
    IPRange: range,
    Gateway: gateway,
    AuxiliaryAddresses: Object.keys(aux).length > 0 ? aux : undefined,
  }));
}

function parsePools(subnets: readonly string[]): Pool[] {
  const pools: Pool[] = [];
  for (const text of subnets) {
    const subnet = findSubnet(text);
    if (!subnet) throw new EngineError("invalid", `invalid subnet: invalid CIDR address: ${text}`);
    if (pools.some((pool) => subnetHolds(pool.subnet, text) || subnetHolds(subnet, pool.text))) {
      throw new EngineError("invalid", "multiple overlapping subnet configuration is not supported");
    }
    pools.push({ text, subnet, aux: {} });
  }
  return pools;
}

function poolOf(pools: readonly Pool[], address: string, what: string): Pool {
  const pool = pools.find(({ subnet }) => subnetHolds(subnet, address));
  if (!pool) throw new EngineError("invalid", `no matching subnet for ${what} ${address}`);
  return pool;
}

function taken(what: string, { one, other, pool }: { one: string; other: string; pool: Pool }): EngineError {
  const where = what === "ranges" ? "on the same" : "for the same";
  return new EngineError(
    "invalid",
    `cannot configure multiple ${what} (${one}, ${other}) ${where} subnet (${pool.text})`,
  );
}

function invalidCidr(text: string): EngineError {
  return new EngineError("invalid", `invalid string being converted to CIDR: ${text}`);
}
