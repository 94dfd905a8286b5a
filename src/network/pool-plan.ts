import { EngineError } from "#base/errors.ts";
import { assignable, chooseSubnet, chooseUniqueLocal, gatewayOf, VERSION } from "./address-pool.ts";
import type { TakenSubnet } from "./host-view.ts";
import type { Pool } from "./network-record.ts";
import type { PoolRequest } from "./network-request.ts";
import {
  canonicalAddress,
  contains,
  familyOf,
  formatAddress,
  formatSubnet,
  overlaps,
  parseAddress,
  parseSubnet,
} from "./subnet.ts";
import type { Family, Subnet } from "./subnet.ts";

export interface PoolWorld {
  /** Where subnets are cut from that nobody asked for. */
  readonly slices: Iterable<Subnet>;
  /** What other networks have. */
  readonly networks: readonly TakenSubnet[];
  /** What the host reaches otherwise. */
  readonly host: readonly TakenSubnet[];
  /** Five random bytes. */
  readonly random: () => Uint8Array;
}

export interface PoolWish {
  readonly pools: readonly PoolRequest[];
  readonly families: readonly Family[];
  /** The engine gives the network a gateway: false where routers of the LAN are asked for by their address alone. */
  readonly needsGateway: boolean;
  /** The subnet is the LAN's own, which the host has as well. */
  readonly sharesHostSubnets: boolean;
}

/**
 * The subnets of a new network: those that were asked for, and one chosen for each family without. Pure.
 *
 * @throws {EngineError} invalid for what does not fit together, forbidden for a clash; Docker's texts, with the other as hint
 */
export function planPools(wish: PoolWish, world: PoolWorld): Pool[] {
  checkPools(wish.pools, wish.families);
  const asked = wish.pools.filter(({ subnet }) => subnet !== undefined && subnet !== "");
  const loose = wish.pools.find(({ subnet, gateway, range }) => !subnet && (gateway || range));
  if (loose) {
    throw invalid(
      "user specified gateway or ip-range needs a subnet: invalid subnet : invalid CIDR block notation",
    );
  }
  const planned = asked
    .filter(({ subnet = "" }) => wish.families.includes(familyOf(subnet)))
    .map((pool) => planPool(pool, wish));
  checkClashes(planned, wish, world);
  const taken = [...world.networks, ...world.host].map(({ subnet }) => subnet);
  const missing = wish.families.filter(
    (family) => !planned.some(({ subnet }) => familyOf(subnet) === family),
  );
  const chosen = missing.map((family) => {
    const subnet =
      family === "ipv4" ? chooseSubnet(world.slices, taken) : chooseUniqueLocal(world.random, taken);
    return planPool({ subnet: formatSubnet(subnet) }, wish);
  });
  return [...planned, ...chosen].toSorted(
    (left, right) => Number(left.subnet.includes(":")) - Number(right.subnet.includes(":")),
  );
}

function planPool({ subnet = "", gateway, range, auxiliary = {} }: PoolRequest, wish: PoolWish): Pool {
  const parsed = parseSubnet(subnet);
  const others = Object.fromEntries(
    Object.entries(auxiliary).map(([name, address]) => [name, canonicalAddress(address)]),
  );
  const own = gateway ? canonicalAddress(gateway) : undefined;
  const chosen = own ?? (wish.needsGateway ? freeGateway(parsed, range, Object.values(others)) : undefined);
  return {
    subnet: formatSubnet(parsed),
    ...(chosen !== undefined && { gateway: chosen }),
    ...(range && { range: formatSubnet(parseSubnet(range)) }),
    auxiliary: others,
  };
}

/** The first address that no other has; of the range, as Docker does it. */
function freeGateway(subnet: Subnet, range: string | undefined, others: readonly string[]): string {
  const { first, last } = assignable(subnet, range ? parseSubnet(range) : subnet);
  let address = range ? first : gatewayOf(subnet);
  while (others.includes(formatAddress(address, subnet.family)) && address < last) address += 1n;
  return formatAddress(address, subnet.family);
}

function checkClashes(planned: readonly Pool[], wish: PoolWish, world: PoolWorld): void {
  for (const [position, { subnet }] of planned.entries()) {
    const parsed = parseSubnet(subnet);
    const own = planned
      .slice(0, position)
      .map((one) => ({ subnet: parseSubnet(one.subnet), holder: "itself" }));
    const others = [...own, ...world.networks, ...(wish.sharesHostSubnets ? [] : world.host)];
    const clash = others.find((other) => overlaps(parsed, other.subnet));
    if (clash === undefined) continue;
    throw new EngineError(
      "forbidden",
      "invalid pool request: Pool overlaps with other one on this address space",
      { hint: `${subnet} overlaps ${formatSubnet(clash.subnet)} of ${clash.holder}: choose another` },
    );
  }
}

/** All that is wrong, in one answer. moby daemon/network.go, validateIpamConfig. */
function checkPools(pools: readonly PoolRequest[], families: readonly Family[]): void {
  const faults = pools.flatMap((pool) => faultsOf(pool, families));
  if (faults.length > 0) throw invalid(`invalid network config:\n${faults.join("\n")}`);
}

function faultsOf(
  { subnet, range, gateway, auxiliary = {} }: PoolRequest,
  families: readonly Family[],
): string[] {
  if (!subnet) return [];
  const parsed = tryParse(() => parseSubnet(subnet));
  if (parsed === undefined) return [`invalid subnet ${subnet}: invalid CIDR block notation`];
  if (!families.includes(parsed.family)) return [];
  const addresses: [string, string | undefined][] = [
    [`gateway ${gateway}`, gateway],
    ...Object.entries(auxiliary).map(([name, address]): [string, string] => [
      `auxiliary address ${name}`,
      address,
    ]),
  ];
  return [
    ...(isMasked(subnet, parsed) ? [] : [`invalid subnet ${subnet}: it should be ${formatSubnet(parsed)}`]),
    ...rangeFaults(range, parsed),
    ...addresses.flatMap(([what, address]) => addressFaults(what, address, parsed)),
  ];
}

function rangeFaults(range: string | undefined, subnet: Subnet): string[] {
  if (!range) return [];
  const parsed = tryParse(() => parseSubnet(range));
  if (parsed === undefined) return [`invalid ip-range ${range}: invalid CIDR block notation`];
  const what = `invalid ip-range ${range}`;
  if (parsed.family !== subnet.family)
    return [`${what}: parent subnet is an ${VERSION[subnet.family]} block`];
  const parent = formatSubnet(subnet);
  return [
    ...(parsed.prefixLength < subnet.prefixLength
      ? [`${what}: CIDR block is bigger than its parent subnet ${parent}`]
      : []),
    ...(isMasked(range, parsed) ? [] : [`${what}: it should be ${formatSubnet(parsed)}`]),
    ...(overlaps(subnet, parsed) ? [] : [`${what}: parent subnet ${parent} doesn't contain ip-range`]),
  ];
}

function addressFaults(what: string, address: string | undefined, subnet: Subnet): string[] {
  if (!address) return [];
  if (tryParse(() => parseAddress(address)) === undefined) return [`invalid ${what}: invalid address`];
  if (familyOf(address) !== subnet.family) {
    return [`invalid ${what}: parent subnet is an ${VERSION[subnet.family]} block`];
  }
  if (contains(subnet, address)) return [];
  return [`invalid ${what}: parent subnet ${formatSubnet(subnet)} doesn't contain this address`];
}

function isMasked(text: string, parsed: Subnet): boolean {
  return parseAddress(text.split("/")[0] ?? "") === parsed.base;
}

function tryParse<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (EngineError.is(error, "invalid")) return undefined;
    throw error;
  }
}

function invalid(message: string): EngineError {
  return new EngineError("invalid", message);
}
