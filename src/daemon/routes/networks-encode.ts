import type { NetworkEndpoint, NetworkInspect, NetworkStatus, NetworkSummary } from "#api/networks.ts";
import { rfc3339 } from "#base/clock.ts";
import { assignable } from "#network/address-pool.ts";
import type { Attachment } from "#network/attachment.ts";
import { isPredefined } from "#network/network-record.ts";
import type { NetworkInfo } from "#network/network-record.ts";
import { contains, lastAddress, overlaps, parseSubnet, sizeOf } from "#network/subnet.ts";
import type { Subnet } from "#network/subnet.ts";

/** A number that fits in 64 bits and in a double. */
const MOST = 2 ** 64 - 2048;

/** A network as lists show it. */
export function encodeNetwork(network: NetworkInfo): NetworkSummary {
  const { id, name, driver, created, pools, labels, options, configFrom } = network;
  return {
    Name: name,
    Id: id,
    Created: rfc3339(created),
    Scope: "local",
    Driver: driver,
    EnableIPv4: network.hasIpv4,
    EnableIPv6: network.hasIpv6,
    IPAM: {
      Driver: network.ipamDriver,
      Options: isPredefined(name) ? null : network.ipamOptions,
      Config:
        pools.length === 0
          ? null
          : pools.map(({ subnet, range, gateway, auxiliary }) => ({
              Subnet: subnet,
              ...(range !== undefined && { IPRange: range }),
              ...(gateway !== undefined && { Gateway: gateway }),
              ...(Object.keys(auxiliary).length > 0 && { AuxiliaryAddresses: auxiliary }),
            })),
    },
    Internal: network.isInternal,
    Attachable: network.isAttachable,
    Ingress: false,
    ConfigFrom: { Network: configFrom ?? "" },
    ConfigOnly: network.isConfigOnly,
    Options: options,
    Labels: labels,
  };
}

export interface InspectFacts {
  readonly attachments: readonly Attachment[];
  /** Every container's name by its id. */
  readonly names: ReadonlyMap<string, string>;
  /** The addresses somebody has; absent for clients that do not know of them. */
  readonly addressesIn?: ((subnet: string) => number) | undefined;
}

/** A network with those in it. */
export function encodeInspect(network: NetworkInfo, facts: InspectFacts): NetworkInspect {
  const endpoints = facts.attachments.flatMap((attachment): [string, NetworkEndpoint][] => {
    const name = facts.names.get(attachment.id);
    const endpoint = attachment.endpoints.find(({ networkId }) => networkId === network.id);
    if (name === undefined || endpoint === undefined) return [];
    const { endpointId, mac = "", ipv4, prefix, ipv6, ipv6Prefix } = endpoint;
    return [
      [
        attachment.id,
        {
          Name: name,
          EndpointID: endpointId,
          MacAddress: mac,
          IPv4Address: ipv4 === undefined ? "" : `${ipv4}/${prefix}`,
          IPv6Address: ipv6 === undefined ? "" : `${ipv6}/${ipv6Prefix}`,
        },
      ],
    ];
  });
  return {
    ...encodeNetwork(network),
    Containers: Object.fromEntries(endpoints),
    ...(facts.addressesIn && { Status: encodeStatus(network, facts.addressesIn) }),
  };
}

/** How full the network is: what nobody can be given counts as in use. */
function encodeStatus({ pools }: NetworkInfo, addressesIn: (subnet: string) => number): NetworkStatus {
  const subnets = pools.map(({ subnet, range, gateway, auxiliary }) => {
    const parsed = parseSubnet(subnet);
    const source = range === undefined ? parsed : parseSubnet(range);
    const { first, last } = assignable(parsed);
    const reserved = sizeOf(parsed) - (last - first + 1n);
    const named = [...(gateway === undefined ? [] : [gateway]), ...Object.values(auxiliary)];
    const used = BigInt(addressesIn(subnet) + named.length) + reserved;
    const outside =
      BigInt(named.filter((one) => !contains(source, one)).length) + reservedOutside(parsed, source);
    const free = sizeOf(source) - (used - outside);
    return [subnet, { IPsInUse: capped(used), DynamicIPsAvailable: capped(free) }] as const;
  });
  return { IPAM: { Subnets: Object.fromEntries(subnets) } };
}

/** Of the addresses that a subnet keeps back, those that its range does not have. */
function reservedOutside(subnet: Subnet, range: Subnet): bigint {
  const { first, last } = assignable(subnet);
  const isIn = (address: bigint): boolean =>
    overlaps(range, {
      family: subnet.family,
      base: address,
      prefixLength: subnet.family === "ipv4" ? 32 : 128,
    });
  const kept = [
    ...(first > subnet.base ? [subnet.base] : []),
    ...(last < lastAddress(subnet) ? [lastAddress(subnet)] : []),
  ];
  return BigInt(kept.filter((address) => !isIn(address)).length);
}

function capped(count: bigint): number {
  return Math.min(MOST, Math.max(0, Number(count)));
}
