import { EngineError } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import type { EndpointConfig, HostConfig } from "./host-config.ts";
import type { AttachRequest, NetworkAttachMode, PortRequest } from "./neighbours.ts";
import { DEFAULT_NETWORK, parseNetworkMode } from "./network-mode.ts";
import { parsePortSpec, portsOf } from "./port-spec.ts";
import type { ContainerRecord } from "./record.ts";

/** What the network is asked for when a container starts. */
export function attachRequest(record: ContainerRecord): AttachRequest {
  const { id, name, config, hostConfig, endpoints } = record;
  const mode = attachMode(record);
  const mac = endpoints.get(DEFAULT_NETWORK)?.macAddress ?? config.macAddress;
  return {
    id,
    mode,
    name,
    ports: mode === "bridge" ? portRequests(hostConfig, config.exposedPorts) : [],
    ...(mac !== undefined && { mac }),
    dns: {
      ...(hostConfig.dns && { servers: hostConfig.dns }),
      ...(hostConfig.dnsSearch && { search: hostConfig.dnsSearch }),
      ...(hostConfig.dnsOptions && { options: hostConfig.dnsOptions }),
    },
  };
}

/** Published ports, then with `PublishAllPorts` the exposed ones. @throws {EngineError} invalid */
export function portRequests(host: HostConfig, exposed: readonly string[]): PortRequest[] {
  const requests = [...host.portBindings].flatMap(([text, bindings]) =>
    bindings.flatMap((binding) => requestsOf(text, binding)),
  );
  if (!host.publishAllPorts) return requests;
  const published = new Set(requests.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  const rest = exposed.flatMap(portsOf).filter(({ port, protocol }) => !published.has(`${port}/${protocol}`));
  return [...requests, ...rest.map(({ port, protocol }) => ({ containerPort: port, protocol }))];
}

/** Endpoints by the names of their networks: `default`, as command lines say it, is the default bridge. */
export function namedEndpoints(
  endpoints: ReadonlyMap<string, EndpointConfig>,
): ReadonlyMap<string, EndpointConfig> {
  return new Map(
    [...endpoints].map(([name, endpoint]) => [name === "default" ? DEFAULT_NETWORK : name, endpoint]),
  );
}

/** Refuses what the default bridge can not do for an endpoint. @throws {EngineError} invalid, in Docker's words */
export function checkEndpoints(record: Pick<ContainerRecord, "endpoints" | "hostConfig">): void {
  const mode = parseNetworkMode(record.hostConfig.networkMode);
  for (const [name, { aliases, ipam, links }] of record.endpoints) {
    if (name !== DEFAULT_NETWORK && (mode.kind !== "network" || mode.name !== name) && name !== mode.kind) {
      throw unknownNetwork(name);
    }
    if ((aliases ?? []).length > 0) {
      throw new EngineError("invalid", "network-scoped aliases are only supported for user-defined networks");
    }
    if (ipam?.ipv4 !== undefined || ipam?.ipv6 !== undefined) {
      throw new EngineError(
        "invalid",
        "user specified IP address is supported on user defined networks only",
      );
    }
    if ((links ?? []).length > 0) {
      throw new EngineError(
        "unsupported",
        `Cannot link endpoint of network "${name}": links are not supported`,
      );
    }
  }
}

function attachMode({ hostConfig, config }: ContainerRecord): NetworkAttachMode {
  if (config.networkDisabled) return "none";
  const mode = parseNetworkMode(hostConfig.networkMode);
  switch (mode.kind) {
    case "none":
    case "host":
      return mode.kind;
    case "container":
      return `container:${mode.reference}`;
    case "network":
      if (mode.name === DEFAULT_NETWORK) return "bridge";
      throw unknownNetwork(mode.name);
  }
}

function requestsOf(
  text: string,
  { hostIp, hostPort }: { readonly hostIp: string | undefined; readonly hostPort: string | undefined },
): PortRequest[] {
  const ports = portsOf(text);
  const range = hostPort === undefined || hostPort === "0" ? undefined : parsePortSpec(hostPort);
  return ports.map(({ port, protocol }, index) => ({
    containerPort: port,
    protocol,
    ...(hostIp !== undefined && { hostIp }),
    ...(range && hostRange(range, ports.length, index)),
  }));
}

/** As many host ports as container ports pair up; else the first free one of the range. */
function hostRange(
  { first, last }: { readonly first: number; readonly last: number },
  count: number,
  index: number,
): Pick<PortRequest, "hostPort" | "hostPortEnd"> {
  if (last - first + 1 === count) return { hostPort: first + index };
  return { hostPort: first, hostPortEnd: last };
}

/** The container whose network is shared. */
export function networkOwner({ networkMode }: HostConfig): ContainerId | undefined {
  const mode = parseNetworkMode(networkMode);
  // Create has replaced the name by the id.
  return mode.kind === "container" ? (mode.reference as ContainerId) : undefined;
}

/** Not "not found": of a create, clients take that for the image, and pull it. */
function unknownNetwork(name: string): EngineError {
  return new EngineError("invalid", `network ${name} not found`, { hint: "darse network ls" });
}
