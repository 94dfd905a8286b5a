import { EngineError } from "#base/errors.ts";
import { newId } from "#base/ids.ts";
import { nextAddress } from "./address-pool.ts";
import type { Endpoint } from "./attachment.ts";
import { randomMac } from "./bridge-driver.ts";
import type { ConnectedEndpoint } from "./driver.ts";
import type { NetworkRecords } from "./network-records.ts";
import { formatAddress, parseAddress } from "./subnet.ts";

/** Six bytes; an odd first one would be a group of stations. */
const STATION_MAC = /^[0-9a-f][02468ace](?:[:-][0-9a-f]{2}){5}$/i;

/** Makes endpoints, and knows which addresses are in use. */
export class EndpointMaker {
  readonly #records: NetworkRecords;
  /** Of attachments, of those being made, and of interfaces still being deleted. */
  readonly #used = new Set<string>();

  constructor(records: NetworkRecords) {
    this.#records = records;
  }

  /** True while somebody has an address. */
  get isInUse(): boolean {
    return this.#used.size > 0;
  }

  /** One on the default bridge, with an address that is its own until `release`. @throws {EngineError} invalid, conflict */
  onBridge(mac: string | undefined): ConnectedEndpoint {
    if (mac !== undefined && !STATION_MAC.test(mac)) {
      throw new EngineError(
        "invalid",
        `Cannot use MAC address ${JSON.stringify(mac)}: it is not one of a station`,
      );
    }
    const record = this.#records.get("bridge");
    const { subnet, gateway } = this.#records.bridge;
    const previous = record.lastAddress === undefined ? undefined : parseAddress(record.lastAddress);
    const isTaken = (address: number): boolean => this.#used.has(formatAddress(address));
    const ipv4 = formatAddress(nextAddress(subnet, previous, isTaken));
    this.#used.add(ipv4);
    this.#records.setLastAddress(record, ipv4);
    const endpoint = this.bare(record.name);
    return {
      ...endpoint,
      ipv4,
      prefix: subnet.prefixLength,
      gateway,
      mac: mac ?? randomMac(),
      hostInterface: `veth${endpoint.endpointId.slice(0, 8)}`,
    };
  }

  /** One with nothing to connect, as on `host` and `none`. */
  bare(networkName: string): Endpoint {
    return { networkId: this.#records.get(networkName).id, networkName, endpointId: newId() };
  }

  /** Takes over an endpoint that an engine before us made. */
  adopt({ ipv4 }: Endpoint): void {
    if (ipv4 !== undefined) this.#used.add(ipv4);
  }

  /** The address may be given out again. */
  release({ ipv4 }: Endpoint): void {
    if (ipv4 !== undefined) this.#used.delete(ipv4);
  }
}
