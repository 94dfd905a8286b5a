import type { Endpoint } from "./attachment.ts";

/** Through which of a container's endpoints its default routes lead, by `endpointId`. */
export interface Gateways {
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
}

/**
 * The highest priority wins; then the endpoint that leads out in more families; then the network whose name is first. As
 * Docker does it (moby libnetwork, `Endpoint.Less`). Pure.
 */
export function chooseGateways(endpoints: readonly Endpoint[]): Gateways {
  const ranked = endpoints.toSorted(
    (left, right) =>
      (right.gatewayPriority ?? 0) - (left.gatewayPriority ?? 0) ||
      waysOut(right) - waysOut(left) ||
      (left.networkName < right.networkName ? -1 : 1),
  );
  return {
    ipv4: ranked.find(({ gateway }) => gateway !== undefined)?.endpointId,
    ipv6: ranked.find(({ ipv6Gateway }) => ipv6Gateway !== undefined)?.endpointId,
  };
}

function waysOut({ gateway, ipv6Gateway }: Endpoint): number {
  return Number(gateway !== undefined) + Number(ipv6Gateway !== undefined);
}
