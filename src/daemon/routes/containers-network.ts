import type { ApiVersion } from "#api/version.ts";
import type { NetworkSettings } from "#api/container-inspect.ts";
import type { EndpointSettings, PortMap, PortSummary } from "#api/containers.ts";
import type { ContainerRecord } from "#container/record.ts";
import type { EndpointConfig } from "#container/host-config.ts";
import { networkNames } from "#container/network-request.ts";
import type { NetworkState } from "#container/network-state.ts";
import { portsOf } from "#container/port-spec.ts";

type EndpointState = NetworkState["endpoints"][number];

/** `NetworkSettings` of inspect; clients before 1.52 also find the default bridge's addresses at top level. */
export function encodeNetworkSettings(record: ContainerRecord, version: ApiVersion): NetworkSettings {
  const { network } = record;
  const bridge = network.endpoints.find(({ networkName }) => networkName === "bridge");
  return {
    ...(!version.atLeast(1, 52) && legacyAddresses(bridge)),
    SandboxID: network.endpoints.length > 0 ? record.id : "",
    SandboxKey: network.namespacePath ?? "",
    Ports: portMap(record),
    Networks: encodeEndpoints(record, version),
  };
}

/** Every network the container is in, or will be in when it starts. */
export function encodeEndpoints(
  record: ContainerRecord,
  version: ApiVersion,
): Record<string, EndpointSettings> {
  return Object.fromEntries(
    [...record.endpoints].map(([name, asked]) => {
      const state = record.network.endpoints.find(({ networkName }) => networkName === name);
      return [name, encodeEndpoint(record, { name, asked, state, version })] as const;
    }),
  );
}

/** One line for each binding, and one for each exposed port without any, as lists show them. */
export function encodePorts(record: ContainerRecord): PortSummary[] {
  const { network, config } = record;
  const published = network.ports.map(({ hostIp, hostPort, containerPort = 0, protocol = "tcp" }) => ({
    IP: hostIp ?? "",
    PrivatePort: containerPort,
    PublicPort: hostPort ?? 0,
    Type: protocol,
  }));
  const taken = new Set(published.map(({ PrivatePort, Type }) => `${PrivatePort}/${Type}`));
  const exposed = config.exposedPorts
    .flatMap(portsOf)
    .filter(({ port, protocol }) => !taken.has(`${port}/${protocol}`))
    .map(({ port, protocol }) => ({ PrivatePort: port, Type: protocol }));
  return network.endpoints.length > 0 ? [...published, ...exposed] : [];
}

function encodeEndpoint(
  record: ContainerRecord,
  { name, asked, state, version }: EndpointParts,
): EndpointSettings {
  const { id, config } = record;
  const shortNames = [id.slice(0, 12), ...(config.hostname === undefined ? [] : [config.hostname])];
  const aliases = asked.aliases ?? null;
  const isNamed = !["bridge", "host", "none"].includes(name);
  const hasShortNames = !version.atLeast(1, 45) && (aliases !== null || isNamed);
  return {
    IPAMConfig: asked.ipam ? encodeIpam(asked.ipam) : null,
    Links: asked.links ?? null,
    Aliases: hasShortNames ? [...new Set([...(aliases ?? []), ...shortNames])] : aliases,
    DriverOpts: asked.driverOpts.size > 0 ? Object.fromEntries(asked.driverOpts) : null,
    GwPriority: asked.gatewayPriority ?? 0,
    NetworkID: state?.networkId ?? asked.networkId ?? "",
    EndpointID: state?.endpointId ?? "",
    Gateway: state?.gateway ?? "",
    IPAddress: state?.ipv4 ?? "",
    MacAddress: state?.mac ?? asked.macAddress ?? "",
    IPPrefixLen: state?.prefix ?? 0,
    IPv6Gateway: state?.ipv6Gateway ?? "",
    GlobalIPv6Address: state?.ipv6 ?? "",
    GlobalIPv6PrefixLen: state?.ipv6Prefix ?? 0,
    DNSNames: isNamed ? networkNames(record, asked) : null,
  };
}

interface EndpointParts {
  readonly name: string;
  readonly asked: EndpointConfig;
  readonly state: EndpointState | undefined;
  readonly version: ApiVersion;
}

function encodeIpam(ipam: {
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  readonly linkLocal: readonly string[] | undefined;
}): EndpointSettings["IPAMConfig"] {
  return {
    ...(ipam.ipv4 !== undefined && { IPv4Address: ipam.ipv4 }),
    ...(ipam.ipv6 !== undefined && { IPv6Address: ipam.ipv6 }),
    ...(ipam.linkLocal !== undefined && { LinkLocalIPs: ipam.linkLocal }),
  };
}

/** Bindings by port; `null` for a port that is exposed and not published. Empty while nothing runs. */
function portMap({ network, config }: ContainerRecord): PortMap {
  if (network.endpoints.length === 0) return {};
  const ports = new Map<string, { HostIp: string; HostPort: string }[] | null>(
    config.exposedPorts.flatMap(portsOf).map(({ port, protocol }) => [`${port}/${protocol}`, null] as const),
  );
  for (const { containerPort = 0, protocol = "tcp", hostIp = "", hostPort = 0 } of network.ports) {
    const key = `${containerPort}/${protocol}`;
    ports.set(key, [...(ports.get(key) ?? []), { HostIp: hostIp, HostPort: String(hostPort) }]);
  }
  return Object.fromEntries(ports);
}

function legacyAddresses(bridge: EndpointState | undefined): Partial<NetworkSettings> {
  return {
    Bridge: "",
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.endpointId ?? "",
    Gateway: bridge?.gateway ?? "",
    GlobalIPv6Address: bridge?.ipv6 ?? "",
    GlobalIPv6PrefixLen: bridge?.ipv6Prefix ?? 0,
    IPAddress: bridge?.ipv4 ?? "",
    IPPrefixLen: bridge?.prefix ?? 0,
    IPv6Gateway: bridge?.ipv6Gateway ?? "",
    MacAddress: bridge?.mac ?? "",
  };
}
