import { EngineError } from "#base/errors.ts";
import { formatSubnet, lastAddress, overlaps, parseSubnet, sizeOf } from "./subnet.ts";
import type { Family, Subnet } from "./subnet.ts";

/** Where new networks are cut from, in order: Docker's own pools (moby, libnetwork/ipamutils). */
export const DEFAULT_POOLS: readonly Subnet[] = [
  ...Array.from({ length: 15 }, (_, i) => parseSubnet(`172.${17 + i}.0.0/16`)),
  ...Array.from({ length: 16 }, (_, i) => parseSubnet(`192.168.${16 * i}.0/20`)),
];

/** The first pool that touches none of `taken`. @throws {EngineError} forbidden when all do (Docker's text) */
export function chooseSubnet(pools: Iterable<Subnet>, taken: readonly Subnet[]): Subnet {
  for (const pool of pools) if (!taken.some((other) => overlaps(pool, other))) return pool;
  throw new EngineError("forbidden", "all predefined address pools have been fully subnetted", {
    hint: "darse network prune, or choose one with --subnet; ip -4 route shows what overlaps on this host",
  });
}

/**
 * Where networks that people make are cut from: the same pools, in slices of 24 bits, so that there is room for
 * thousands of them and little is taken from the host.
 */
export function* networkSlices(pools: readonly Subnet[] = DEFAULT_POOLS.slice(1)): Iterable<Subnet> {
  for (const pool of pools) {
    const count = 1n << BigInt(Math.max(0, SLICE_BITS - pool.prefixLength));
    const prefixLength = Math.max(SLICE_BITS, pool.prefixLength);
    for (let at = 0n; at < count; at++) {
      yield { family: "ipv4", base: pool.base + (at << BigInt(32 - SLICE_BITS)), prefixLength };
    }
  }
}

const SLICE_BITS = 24;

/**
 * A /64 of unique local addresses that touches none of `taken`. Its first 48 bits are `random` (RFC 4193), so that
 * networks of two hosts hardly ever clash.
 */
export function chooseUniqueLocal(random: () => Uint8Array, taken: readonly Subnet[]): Subnet {
  for (;;) {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = random();
    const base = [0xfd, a, b, c, d, e].reduce((value, byte) => value * 256n + BigInt(byte), 0n) << 80n;
    const subnet: Subnet = { family: "ipv6", base, prefixLength: 64 };
    if (!taken.some((other) => overlaps(subnet, other))) return subnet;
  }
}

/** The first usable address: the bridge's own. */
export function gatewayOf(subnet: Subnet): bigint {
  return subnet.prefixLength >= (subnet.family === "ipv4" ? 31 : 127) ? subnet.base : subnet.base + 1n;
}

/** Which addresses of a subnet may be handed out: those of `range`, its first and (IPv4) last left out. */
export function assignable(subnet: Subnet, range: Subnet = subnet): { first: bigint; last: bigint } {
  const isTiny = sizeOf(subnet) <= 2n;
  const first = !isTiny && range.base === subnet.base ? range.base + 1n : range.base;
  const isBroadcast = subnet.family === "ipv4" && !isTiny && lastAddress(range) === lastAddress(subnet);
  return { first, last: isBroadcast ? lastAddress(range) - 1n : lastAddress(range) };
}

/** A look at so many addresses in a row that are all taken is a full network. */
const MOST_STEPS = 1n << 20n;

export interface AddressChoice {
  readonly subnet: Subnet;
  /** The part of it that addresses come from. */
  readonly range?: Subnet | undefined;
  /** The one handed out last. */
  readonly previous?: bigint | undefined;
  readonly isTaken: (address: bigint) => boolean;
}

/**
 * The next address for a container: rising from the one handed out last, round to the start at the end, so that one just
 * released is the last to be used again.
 *
 * @throws {EngineError} forbidden when none is free (Docker's text)
 */
export function nextAddress({ subnet, range, previous, isTaken }: AddressChoice): bigint {
  const { first, last } = assignable(subnet, range);
  const count = last - first + 1n;
  const start = previous !== undefined && previous >= first && previous < last ? previous - first + 1n : 0n;
  for (let step = 0n; step < count && step < MOST_STEPS; step++) {
    const address = first + ((start + step) % count);
    if (!isTaken(address)) return address;
  }
  const pool = formatSubnet(range ?? subnet);
  throw new EngineError(
    "forbidden",
    `no available ${VERSION[subnet.family]} addresses on this network's address pools: ${pool}`,
    { hint: "a larger network: darse network create --subnet …, or containers that are not needed removed" },
  );
}

export const VERSION: Readonly<Record<Family, string>> = { ipv4: "IPv4", ipv6: "IPv6" };
