import { amount, type Decoded, documents, shortText } from "./field-table.ts";
import type { Sandbox } from "./neighbours.ts";

/** What a record keeps of a container's place in the networks, from start to exit. */
export const NETWORK_STATE = {
  namespacePath: shortText("namespacePath"),
  endpoints: documents("endpoints", {
    networkId: shortText("networkId"),
    networkName: shortText("networkName"),
    endpointId: shortText("endpointId"),
    ipv4: shortText("ipv4"),
    prefix: amount("prefix"),
    gateway: shortText("gateway"),
    mac: shortText("mac"),
    ipv6: shortText("ipv6"),
    ipv6Prefix: amount("ipv6Prefix"),
    ipv6Gateway: shortText("ipv6Gateway"),
  }),
  ports: documents("ports", {
    containerPort: amount("containerPort"),
    protocol: shortText("protocol"),
    hostIp: shortText("hostIp"),
    hostPort: amount("hostPort"),
  }),
} as const;

export type NetworkState = Decoded<typeof NETWORK_STATE>;

export const NO_NETWORK: NetworkState = { namespacePath: undefined, endpoints: [], ports: [] };

export function networkState({ namespacePath, endpoints, ports }: Sandbox): NetworkState {
  return {
    namespacePath,
    endpoints: endpoints.map((one) => ({
      networkId: one.networkId,
      networkName: one.networkName,
      endpointId: one.endpointId,
      ipv4: one.ipv4,
      prefix: one.prefix,
      gateway: one.gateway,
      mac: one.mac,
      ipv6: one.ipv6,
      ipv6Prefix: one.ipv6Prefix,
      ipv6Gateway: one.ipv6Gateway,
    })),
    ports: ports.map(({ containerPort, protocol, hostIp, hostPort }) => ({
      containerPort,
      protocol,
      hostIp,
      hostPort,
    })),
  };
}
