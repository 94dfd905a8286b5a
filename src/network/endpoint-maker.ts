import { randomBytes } from "node:crypto";
import { EngineError } from "#base/errors.ts";
import { newId } from "#base/ids.ts";
import { nextAddress } from "./address-pool.ts";
import type { Endpoint } from "./attachment.ts";
import { checkInterfaceName, interfacePrefix } from "./bridge-settings.ts";
import { checkEndpoint } from "./endpoint-rules.ts";
import type { NetworkRecord, Pool } from "./network-record.ts";
import type { EndpointRequest } from "./network-request.ts";
import type { NetworkRecords } from "./network-records.ts";
import { canonicalAddress, contains, familyOf, formatAddress, parseAddress, parseSubnet } from "./subnet.ts";
import type { Family } from "./subnet.ts";

/** Makes endpoints, and knows which addresses are in use. */
export class EndpointMaker {
  readonly #records: NetworkRecords;
  /** By network: addresses of attachments, of those being made, and of interfaces still being deleted, with their holders. */
  readonly #used = new Map<string, Map<string, string>>();

  constructor(records: NetworkRecords) {
    this.#records = records;
  }

  /** True while somebody has an address. */
  get isInUse(): boolean {
    return [...this.#used.values()].some(({ size }) => size > 0);
  }

  /** How many addresses of a subnet somebody has. */
  countIn(networkId: string, subnet: string): number {
    const parsed = parseSubnet(subnet);
    return [...(this.#used.get(networkId)?.keys() ?? [])].filter((one) => contains(parsed, one)).length;
  }

  /**
   * One in a network with addresses of its own, which are nobody else's until `release`.
   *
   * @param place who is to have it, and the interfaces there already
   * @throws {EngineError} invalid, forbidden for an address that another has
   */
  make(
    record: NetworkRecord,
    request: Omit<EndpointRequest, "network">,
    place: { readonly holder: string; readonly others: readonly Endpoint[] },
  ): Endpoint {
    checkEndpoint(record, request);
    const interfaceName = interfaceFor(record, request, place.others);
    const ipv4 = this.#address(record, "ipv4", { wanted: request.ipv4, holder: place.holder });
    let ipv6: Address | undefined;
    try {
      ipv6 = this.#address(record, "ipv6", { wanted: request.ipv6, holder: place.holder });
    } catch (error) {
      if (ipv4) this.#used.get(record.id)?.delete(ipv4.address);
      throw error;
    }
    const endpoint = this.bare(record.name);
    const hasMac = record.driver !== "ipvlan";
    return {
      ...endpoint,
      ...(ipv4 && { ipv4: ipv4.address, prefix: ipv4.prefixLength, ...ipv4.way }),
      ...(ipv6 && {
        ipv6: ipv6.address,
        ipv6Prefix: ipv6.prefixLength,
        ...(ipv6.way && { ipv6Gateway: ipv6.way.gateway }),
      }),
      ...(hasMac && { mac: request.mac?.toLowerCase().replaceAll("-", ":") ?? randomMac() }),
      interfaceName,
      ...(record.driver === "bridge" && { hostInterface: `veth${endpoint.endpointId.slice(0, 8)}` }),
      ...wishes(request),
    };
  }

  /** One with nothing to connect, as on `host` and `none`. */
  bare(networkName: string): Endpoint {
    return { networkId: this.#records.get(networkName).id, networkName, endpointId: newId() };
  }

  /** Takes over an endpoint that an engine before us made. */
  adopt({ networkId, ipv4, ipv6 }: Endpoint, holder: string): void {
    for (const address of [ipv4, ipv6])
      if (address !== undefined) this.#usedIn(networkId).set(address, holder);
  }

  /** The addresses may be given out again. */
  release({ networkId, ipv4, ipv6 }: Endpoint): void {
    for (const address of [ipv4, ipv6]) if (address !== undefined) this.#used.get(networkId)?.delete(address);
  }

  #usedIn(networkId: string): Map<string, string> {
    return this.#used.getOrInsertComputed(networkId, () => new Map<string, string>());
  }

  #address(
    record: NetworkRecord,
    family: Family,
    { wanted, holder }: { readonly wanted: string | undefined; readonly holder: string },
  ): Address | undefined {
    const pools = record.pools.filter(({ subnet }) => familyOf(subnet) === family);
    const pool = wanted ? pools.find(({ subnet }) => contains(parseSubnet(subnet), wanted)) : pools[0];
    if (pool === undefined) return undefined;
    const address = wanted ? this.#fixed(record, pool, wanted) : this.#next(record, pools);
    this.#usedIn(record.id).set(address, holder);
    const way = record.isInternal || pool.gateway === undefined ? undefined : { gateway: pool.gateway };
    return { address, prefixLength: parseSubnet(pool.subnet).prefixLength, way };
  }

  #fixed(record: NetworkRecord, pool: Pool, wanted: string): string {
    const address = canonicalAddress(wanted);
    const holder = this.#holderOf(record, pool, address);
    if (holder === undefined) return address;
    throw new EngineError("forbidden", "Address already in use", {
      hint: `${holder} has ${address} in network ${record.name}: choose another, or leave it out`,
    });
  }

  /** The first pool that has one left. */
  #next(record: NetworkRecord, pools: readonly Pool[]): string {
    for (const [position, pool] of pools.entries()) {
      try {
        return this.#nextIn(record, pool);
      } catch (error) {
        if (position === pools.length - 1 || !EngineError.is(error, "forbidden")) throw error;
      }
    }
    throw new Error("a network without pools gives no addresses");
  }

  #nextIn(record: NetworkRecord, pool: Pool): string {
    const subnet = parseSubnet(pool.subnet);
    const previous = record.lastAddresses[pool.subnet];
    const address = nextAddress({
      subnet,
      range: pool.range === undefined ? undefined : parseSubnet(pool.range),
      previous: previous === undefined ? undefined : parseAddress(previous),
      isTaken: (one) => this.#holderOf(record, pool, formatAddress(one, subnet.family)) !== undefined,
    });
    const text = formatAddress(address, subnet.family);
    this.#records.setLastAddress(record.id, pool.subnet, text);
    return text;
  }

  #holderOf(record: NetworkRecord, { gateway, auxiliary }: Pool, address: string): string | undefined {
    if (address === gateway) return "the gateway";
    const name = Object.keys(auxiliary).find((one) => auxiliary[one] === address);
    if (name !== undefined) return `the auxiliary address ${name}`;
    const holder = this.#used.get(record.id)?.get(address);
    return holder === undefined ? undefined : `container ${holder}`;
  }
}

interface Address {
  readonly address: string;
  readonly prefixLength: number;
  readonly way: { readonly gateway: string } | undefined;
}

/** What of a request is kept as it is. */
function wishes({
  names,
  links,
  linkLocal,
  options,
  gatewayPriority,
}: Omit<EndpointRequest, "network">): Partial<Endpoint> {
  return {
    ...(names && { names }),
    ...(links && { links }),
    ...(linkLocal && { linkLocal: linkLocal.map(canonicalAddress) }),
    ...(options && { options }),
    ...(gatewayPriority !== undefined && { gatewayPriority }),
  };
}

/** The name that was asked for, or the first free number of the network's prefix. */
function interfaceFor(
  record: NetworkRecord,
  { options = {} }: Pick<EndpointRequest, "options">,
  others: readonly Endpoint[],
): string {
  const key = "com.docker.network.endpoint.ifname";
  const isTaken = (name: string): boolean => others.some(({ interfaceName }) => interfaceName === name);
  const wanted = options[key];
  if (wanted) {
    checkInterfaceName(key, wanted);
    const other = others.find(({ interfaceName }) => interfaceName === wanted);
    if (other === undefined && wanted !== "lo") return wanted;
    throw new EngineError(
      "invalid",
      `Cannot name the interface in network ${record.name} ${wanted}: it is taken`,
      {
        hint: `that of network ${other?.networkName ?? "loopback"} has the name`,
      },
    );
  }
  const prefix = interfacePrefix(record);
  for (let number = 0; ; number++) if (!isTaken(`${prefix}${number}`)) return `${prefix}${number}`;
}

/** Locally administered, for one receiver. */
export function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfe) | 0x02;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
