import { EngineError } from "#base/errors.ts";
import { formatAddress, lastAddress, overlaps, parseSubnet } from "./subnet.ts";
import type { Subnet } from "./subnet.ts";

/** Where new networks are cut from, in order: Docker's own pools (moby, libnetwork/ipamutils). */
export const DEFAULT_POOLS: readonly Subnet[] = [
  ...Array.from({ length: 15 }, (_, i) => parseSubnet(`172.${17 + i}.0.0/16`)),
  ...Array.from({ length: 16 }, (_, i) => parseSubnet(`192.168.${16 * i}.0/20`)),
];

/** The first pool that touches none of `taken`. @throws {EngineError} conflict when all do (Docker's text) */
export function chooseSubnet(pools: readonly Subnet[], taken: readonly Subnet[]): Subnet {
  const free = pools.find((pool) => !taken.some((other) => overlaps(pool, other)));
  if (free === undefined) {
    throw new EngineError("conflict", "all predefined address pools have been fully subnetted", {
      hint: "ip -4 route shows which networks of this host overlap",
    });
  }
  return free;
}

/** The first usable address: the bridge's own. */
export function gatewayOf(subnet: Subnet): number {
  return subnet.base + 1;
}

/**
 * The next address for a container: rising from the one handed out last (`previous`), round to the start at the end, so
 * that one just released is the last to be used again.
 *
 * @throws {EngineError} conflict when none is free (Docker's text)
 */
export function nextAddress(
  subnet: Subnet,
  previous: number | undefined,
  isTaken: (address: number) => boolean,
): number {
  const first = gatewayOf(subnet) + 1;
  const count = Math.max(0, lastAddress(subnet) - first);
  const isRising = previous !== undefined && previous >= first && previous < first + count;
  const start = isRising ? previous - first + 1 : 0;
  for (let step = 0; step < count; step++) {
    const address = first + ((start + step) % count);
    if (!isTaken(address)) return address;
  }
  const network = `${formatAddress(subnet.base)}/${subnet.prefixLength}`;
  throw new EngineError(
    "conflict",
    `no available IPv4 addresses on this network's address pools: ${network}`,
  );
}
