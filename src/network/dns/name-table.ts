import { addressBytes, addressText } from "#linux/netlink/ip-address.ts";
import type { Query } from "./message.ts";

/** A container's interface in a network whose members find each other by name. */
export interface NamedEndpoint {
  readonly networkId: string;
  readonly networkName: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** What it is called there: the container's name, its aliases, its short id. The first is the one it is shown under. */
  readonly names: readonly string[];
}

export interface NamedContainer {
  readonly id: string;
  readonly endpoints: readonly NamedEndpoint[];
  /** Names that this container alone knows others by: from one to the id of the other (`--link`). */
  readonly links?: ReadonlyMap<string, string>;
}

/** The addresses of a known name; either may be empty. */
export interface KnownName {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

interface NetworkNames {
  readonly name: string;
  readonly byName: Map<string, NamedEndpoint[]>;
  readonly byAddress: Map<string, NamedEndpoint>;
}

/** Who is called what at one moment, and who may know: a container sees the names of the networks it is in. */
export class NameTable {
  readonly #containers: ReadonlyMap<string, NamedContainer>;
  readonly #networks = new Map<string, NetworkNames>();

  constructor(containers: readonly NamedContainer[]) {
    this.#containers = new Map(containers.map((one) => [one.id, one]));
    for (const { endpoints } of containers) for (const endpoint of endpoints) this.#add(endpoint);
  }

  /** `name` in lower case. The first of the asker's networks that knows it answers; `name.network` asks that one. */
  findName(asker: string, name: Query["name"]): KnownName | undefined {
    const container = this.#containers.get(asker);
    if (container === undefined) return undefined;
    const linked = this.#linked(container, name);
    if (linked !== undefined) return addressesOf(linked);
    for (const { networkId } of container.endpoints) {
      const found = this.#networks.get(networkId)?.byName.get(name);
      if (found !== undefined) return addressesOf(found);
    }
    for (const { networkId, networkName } of container.endpoints) {
      const suffix = `.${networkName.toLowerCase()}`;
      if (!name.endsWith(suffix)) continue;
      const found = this.#networks.get(networkId)?.byName.get(name.slice(0, -suffix.length));
      if (found !== undefined) return addressesOf(found);
    }
    return undefined;
  }

  /** `web.shop`: the container and the network, one of the asker's, in which somebody has the address. */
  findAddress(asker: string, address: string): string | undefined {
    for (const { networkId } of this.#containers.get(asker)?.endpoints ?? []) {
      const found = this.#networks.get(networkId)?.byAddress.get(address);
      if (found !== undefined) return `${found.names[0]}.${found.networkName}`;
    }
    return undefined;
  }

  #add(endpoint: NamedEndpoint): void {
    const { networkId, networkName: name } = endpoint;
    const network = this.#networks.get(networkId) ?? { name, byName: new Map(), byAddress: new Map() };
    this.#networks.set(networkId, network);
    for (const one of new Set(endpoint.names.map((text) => text.toLowerCase()))) {
      const others = network.byName.get(one);
      if (others === undefined) network.byName.set(one, [endpoint]);
      else others.push(endpoint);
    }
    const { ipv4, ipv6 } = endpoint;
    if (ipv4 !== undefined) network.byAddress.set(ipv4, endpoint);
    // An address may be written in many ways, and is asked for in one.
    if (ipv6 !== undefined) network.byAddress.set(addressText(addressBytes(ipv6)), endpoint);
  }

  /** A link leads to the other's addresses in networks that both are in. */
  #linked(container: NamedContainer, name: string): NamedEndpoint[] | undefined {
    const target = container.links?.get(name);
    if (target === undefined) return undefined;
    const shared = new Set(container.endpoints.map((one) => one.networkId));
    const endpoints = this.#containers.get(target)?.endpoints.filter((one) => shared.has(one.networkId));
    return endpoints?.slice(0, 1);
  }
}

function addressesOf(endpoints: readonly NamedEndpoint[]): KnownName {
  return {
    ipv4: endpoints.flatMap((one) => one.ipv4 ?? []),
    ipv6: endpoints.flatMap((one) => one.ipv6 ?? []),
  };
}
