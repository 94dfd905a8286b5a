import { shortId } from "#base/ids.ts";
import { decodeAttachment } from "./attachment.ts";
import type { Attachment, Endpoint } from "./attachment.ts";
import { chooseGateways } from "./gateway-choice.ts";
import type { DocumentTable } from "./network-records.ts";
import type { PortBinding } from "./port-publisher.ts";
import type { Publication } from "./publish-rules.ts";
import type { Family } from "./subnet.ts";

/** Everybody who is attached, kept in the database so that the next engine knows them. */
export class Attachments {
  readonly #table: DocumentTable;
  readonly #byId = new Map<string, Attachment>();
  #version = 0;

  constructor(table: DocumentTable) {
    this.#table = table;
    for (const { value } of table.all()) {
      const attachment = decodeAttachment(value);
      this.#byId.set(attachment.id, attachment);
    }
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Another number after each change. */
  get version(): number {
    return this.#version;
  }

  all(): Attachment[] {
    return [...this.#byId.values()];
  }

  find(id: string): Attachment | undefined {
    return this.#byId.get(id);
  }

  put(attachment: Attachment): void {
    this.#table.put(attachment.id, attachment);
    this.#byId.set(attachment.id, attachment);
    this.#version++;
  }

  remove(id: string): void {
    this.#version++;
    this.#byId.delete(id);
    this.#table.remove(id);
  }

  /** The one that publishes a port which `binding` would also answer on. */
  holderOf(binding: PortBinding): Attachment | undefined {
    return this.all().find(({ ports }) => ports.some((port) => clash(port, binding)));
  }

  /** Those with an endpoint in the network. */
  inNetwork(networkId: string): Attachment[] {
    return this.all().filter(({ endpoints }) => endpoints.some((one) => one.networkId === networkId));
  }

  /**
   * What the firewall is to publish, in a stable order; the rest is carried by proxies.
   *
   * @param isDirect whether containers of a network are reached at their own addresses
   */
  publications(isDirect: (networkId: string, family: Family) => boolean = () => false): Publication[] {
    return this.all().flatMap(({ id, name, ports, endpoints }) => {
      if (ports.length === 0) return [];
      const { ipv4, ipv6 } = publishedEndpoints(endpoints);
      return ports.flatMap((port) => {
        const isIpv6 = port.hostIp.includes(":");
        const [endpoint, address] = isIpv6 ? [ipv6, ipv6?.ipv6] : [ipv4, ipv4?.ipv4];
        const comment = `${name} (${shortId(id)}) on ${endpoint?.networkName}`;
        if (endpoint === undefined || address === undefined) return [];
        const isOpened = isDirect(endpoint.networkId, isIpv6 ? "ipv6" : "ipv4");
        return [{ ...port, address, comment, ...(isOpened && { isDirect: true }) }];
      });
    });
  }
}

/** The endpoints that published ports lead to: those that lead out. Pure. */
export function publishedEndpoints(endpoints: readonly Endpoint[]): {
  readonly ipv4: Endpoint | undefined;
  readonly ipv6: Endpoint | undefined;
} {
  const { ipv4, ipv6 } = chooseGateways(endpoints);
  return {
    ipv4: endpoints.find(({ endpointId }) => endpointId === ipv4),
    ipv6: endpoints.find(({ endpointId }) => endpointId === ipv6),
  };
}

function clash(left: PortBinding, right: PortBinding): boolean {
  if (left.protocol !== right.protocol || left.hostPort !== right.hostPort) return false;
  if (left.hostIp.includes(":") !== right.hostIp.includes(":")) return false;
  return left.hostIp === right.hostIp || isWildcard(left.hostIp) || isWildcard(right.hostIp);
}

function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}
