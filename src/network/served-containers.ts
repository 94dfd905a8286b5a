import type { Attachment, Endpoint } from "./attachment.ts";
import type { NamedEndpoint } from "./dns/name-table.ts";
import type { ServedContainer } from "./dns/name-service.ts";

/** Those of the attached that have a name service: they are in a network in which names mean something. Pure. */
export function servedContainers(attachments: readonly Attachment[]): ServedContainer[] {
  return attachments.flatMap(({ id, namespacePath, endpoints, dns, isShared }) => {
    const named = endpoints.flatMap((one) => namedEndpoint(one) ?? []);
    // One that shares another's namespace is answered there as the other.
    if (namespacePath === undefined || isShared || named.length === 0) return [];
    const links = endpoints.flatMap((one) => Object.entries(one.links ?? {}));
    return [
      {
        id,
        namespacePath,
        endpoints: named,
        links: new Map(links.map(([name, target]) => [name.toLowerCase(), target])),
        hasWayOut: endpoints.some((one) => (one.gateway ?? one.ipv6Gateway) !== undefined),
        hasIpv6: endpoints.some((one) => one.ipv6Gateway !== undefined),
        ...(dns && { overrides: dns }),
      },
    ];
  });
}

/** Whether one with these endpoints is to have a name service. */
export function isServed(endpoints: readonly Endpoint[]): boolean {
  return endpoints.some(({ names }) => names !== undefined);
}

function namedEndpoint({ networkId, networkName, names, ipv4, ipv6 }: Endpoint): NamedEndpoint | undefined {
  if (names === undefined) return undefined;
  const addresses = { ...(ipv4 !== undefined && { ipv4 }), ...(ipv6 !== undefined && { ipv6 }) };
  return { networkId, networkName, names, ...addresses };
}
