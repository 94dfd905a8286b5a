import { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import type { Endpoint } from "./attachment.ts";
import type { Driver, NetworkKernel } from "./driver.ts";
import { interfaceSettings } from "./endpoint-rules.ts";
import type { Gateways } from "./gateway-choice.ts";
import { prepareInterfaces } from "./interface-sysctls.ts";

/** A namespace and what stands in it. */
export interface Wiring {
  readonly kernel: NetworkKernel;
  readonly namespacePath: string;
}

export interface PlugOptions {
  readonly endpoints: readonly Endpoint[];
  readonly gateways: Gateways;
  readonly hasPorts: boolean;
  readonly driverOf: (endpoint: Endpoint) => Driver;
}

/** Makes the endpoints' interfaces in the namespace, with addresses and, where the way out is theirs, default routes. */
export function plug({ kernel, namespacePath }: Wiring, options: PlugOptions): void {
  const { endpoints, gateways, hasPorts, driverOf } = options;
  kernel.inNetworkNamespace(namespacePath, () => {
    using inside = Rtnetlink.open();
    for (const endpoint of endpoints) {
      prepareInterfaces(kernel, endpoint.ipv6 !== undefined);
      // The driver's own socket goes on serving the host's namespace in here.
      driverOf(endpoint).connect(endpoint, { namespacePath, inside, hasPorts });
      const { interfaceName = "" } = endpoint;
      inside.configure(inside.getLink(interfaceName), {
        addresses: addressesOf(endpoint),
        routes: defaultRoutes(endpoint, gateways),
      });
      for (const { name, value } of interfaceSettings(endpoint.options)) {
        kernel.writeSysctl(name.replace(/IFNAME/i, interfaceName.replaceAll(".", "/")), value);
      }
    }
  });
}

/** Takes an interface out of the namespace, and with it its routes; success when it is gone. */
export function unplug({ kernel, namespacePath }: Wiring, { interfaceName }: Endpoint): void {
  if (interfaceName === undefined) return;
  kernel.inNetworkNamespace(namespacePath, () => {
    using inside = Rtnetlink.open();
    inside.deleteLink(interfaceName);
  });
}

/** Leads the way out through other endpoints than before. */
export function reroute(
  { kernel, namespacePath }: Wiring,
  endpoints: readonly Endpoint[],
  { before, after }: { readonly before: Gateways; readonly after: Gateways },
): void {
  if (before.ipv4 === after.ipv4 && before.ipv6 === after.ipv6) return;
  kernel.inNetworkNamespace(namespacePath, () => {
    using inside = Rtnetlink.open();
    for (const endpoint of endpoints) {
      const link = inside.findLink(endpoint.interfaceName ?? "");
      if (link === undefined) continue;
      const kept = new Set(defaultRoutes(endpoint, after).map(({ gateway }) => gateway));
      const had = defaultRoutes(endpoint, before);
      for (const route of had) if (!kept.has(route.gateway)) inside.removeRoute(link, route);
    }
    for (const endpoint of endpoints) {
      const link = inside.findLink(endpoint.interfaceName ?? "");
      if (link === undefined) continue;
      const had = new Set(defaultRoutes(endpoint, before).map(({ gateway }) => gateway));
      const wanted = defaultRoutes(endpoint, after);
      for (const route of wanted) if (!had.has(route.gateway)) inside.addRoute(link, route);
    }
  });
}

function addressesOf(
  endpoint: Endpoint,
): { address: string; prefixLength: number; skipsDuplicateCheck?: boolean }[] {
  const { ipv4, prefix = 32, ipv6, ipv6Prefix = 128, linkLocal = [] } = endpoint;
  return [
    ...(ipv4 === undefined ? [] : [{ address: ipv4, prefixLength: prefix }]),
    ...(ipv6 === undefined ? [] : [{ address: ipv6, prefixLength: ipv6Prefix, skipsDuplicateCheck: true }]),
    ...linkLocal.map((address) => ({
      address,
      prefixLength: address.includes(":") ? 64 : 16,
      skipsDuplicateCheck: address.includes(":"),
    })),
  ];
}

function defaultRoutes(
  { endpointId, gateway, ipv6Gateway }: Endpoint,
  { ipv4, ipv6 }: Gateways,
): { readonly gateway: string }[] {
  return [
    ...(endpointId === ipv4 && gateway !== undefined ? [{ gateway }] : []),
    ...(endpointId === ipv6 && ipv6Gateway !== undefined ? [{ gateway: ipv6Gateway }] : []),
  ];
}
