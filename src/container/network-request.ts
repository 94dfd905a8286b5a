import { EngineError } from "#base/errors.ts";
import { type ContainerId, shortId } from "#base/ids.ts";
import { type EndpointConfig, type HostConfig, PLAIN_ENDPOINT } from "./host-config.ts";
import type {
  AttachRequest,
  EndpointRequest,
  Network,
  NetworkAttachMode,
  PortRequest,
} from "./neighbours.ts";
import { DEFAULT_NETWORK, parseNetworkMode } from "./network-mode.ts";
import { parsePortSpec, portsOf } from "./port-spec.ts";
import type { ContainerRecord } from "./record.ts";

/** What the network is asked for when a container starts. @throws {EngineError} not-found for a container that it links */
export function attachRequest(record: ContainerRecord, containers: Containers): AttachRequest {
  const { id, name, config, hostConfig, endpoints } = record;
  const mode = attachMode(record);
  return {
    id,
    mode,
    name,
    networks:
      mode === "bridge"
        ? [...endpoints.keys()].map((network) => endpointRequest(record, network, containers))
        : [],
    ports: mode === "bridge" ? portRequests(hostConfig, config.exposedPorts) : [],
    dns: {
      ...(hostConfig.dns && { servers: hostConfig.dns }),
      ...(hostConfig.dnsSearch && { search: hostConfig.dnsSearch }),
      ...(hostConfig.dnsOptions && { options: hostConfig.dnsOptions }),
    },
  };
}

/** What links need of other containers. */
export interface Containers {
  find(reference: string): Pick<ContainerRecord, "id"> | undefined;
}

/** What one of the container's networks is asked for. @throws {EngineError} not-found for a container that it links */
export function endpointRequest(
  record: Pick<ContainerRecord, "id" | "name" | "config" | "hostConfig" | "endpoints">,
  network: string,
  containers: Containers,
): EndpointRequest {
  const { config, endpoints } = record;
  const asked = endpoints.get(network) ?? PLAIN_ENDPOINT;
  const isFirst = [...endpoints.keys()][0] === network;
  const mac = asked.macAddress ?? (isFirst ? config.macAddress : undefined);
  const { ipv4, ipv6, linkLocal } = asked.ipam ?? {};
  const isUserDefined = !isPredefined(network);
  return {
    network,
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
    ...(linkLocal !== undefined && { linkLocal }),
    ...(mac !== undefined && { mac }),
    ...(isUserDefined && { names: networkNames(record, asked) }),
    ...(isUserDefined && { links: linksIn(record, { asked, isFirst }, containers) }),
    ...(asked.driverOpts.size > 0 && { options: Object.fromEntries(asked.driverOpts) }),
    ...(asked.gatewayPriority !== undefined && { gatewayPriority: asked.gatewayPriority }),
  };
}

/** What a container is called in a network that people made: name, aliases, short id, hostname. */
export function networkNames(
  { id, name, config }: Pick<ContainerRecord, "id" | "name" | "config">,
  { aliases }: Pick<EndpointConfig, "aliases">,
): string[] {
  const all = [
    name,
    ...(aliases ?? []),
    shortId(id),
    ...(config.hostname === undefined ? [] : [config.hostname]),
  ];
  return [...new Set(all)];
}

/** Links of the endpoint, and of the container where it is its first network. */
function linksIn(
  { hostConfig }: Pick<ContainerRecord, "hostConfig">,
  { asked, isFirst }: { readonly asked: EndpointConfig; readonly isFirst: boolean },
  containers: Containers,
): Record<string, string> {
  const links = [...(isFirst ? (hostConfig.links ?? []) : []), ...(asked.links ?? [])];
  return Object.fromEntries(
    links.map((link) => {
      const [reference = "", alias = reference] = link.split(":");
      const found = containers.find(reference);
      if (found) return [alias.toLowerCase(), found.id] as const;
      throw new EngineError(
        "not-found",
        `could not get container for ${reference}: No such container: ${reference}`,
      );
    }),
  );
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

/**
 * What a new container asks of each of its networks, by the networks' own names, the one it is made for first.
 *
 * @throws {EngineError} invalid, in Docker's words
 */
export function planEndpoints(
  asked: ReadonlyMap<string, EndpointConfig>,
  { networkMode }: HostConfig,
  network: Pick<Network, "check">,
): ReadonlyMap<string, EndpointConfig> {
  const mode = parseNetworkMode(networkMode);
  if (mode.kind === "container") return onlyOwn(asked, (name) => name.startsWith("container"), SHARED);
  if (mode.kind === "host" || mode.kind === "none") {
    onlyOwn(asked, (name) => name === mode.kind, mode.kind === "host" ? SHARED : PRIVATE);
    const { id } = network.check({ network: mode.kind });
    return new Map([[mode.kind, { ...(asked.get(mode.kind) ?? PLAIN_ENDPOINT), networkId: id }]]);
  }
  const planned = new Map<string, EndpointConfig>();
  const wanted = [[mode.name, PLAIN_ENDPOINT] as const, ...asked];
  for (const [reference, endpoint] of wanted) {
    const { name, id } = known(reference === "default" ? DEFAULT_NETWORK : reference, network);
    if (isPredefined(name) && name !== DEFAULT_NETWORK)
      throw new EngineError("invalid", name === "none" ? PRIVATE : SHARED);
    planned.set(name, { ...endpoint, networkId: id });
  }
  return planned;
}

const SHARED =
  "container sharing network namespace with another container or host cannot be connected to any other network";
const PRIVATE =
  "container cannot be connected to multiple networks with one of the networks in private (none) mode";

/** Refuses what its networks can not do for a container. @throws {EngineError} invalid, in Docker's words */
export function checkEndpoints(
  record: ContainerRecord,
  network: Pick<Network, "check">,
  containers: Containers,
): void {
  if (attachMode(record) !== "bridge") return;
  for (const [name, endpoint] of record.endpoints) {
    checkAliases(name, endpoint);
    network.check(endpointRequest(record, name, containers));
  }
}

/** @throws {EngineError} invalid */
export function checkAliases(network: string, { aliases }: Pick<EndpointConfig, "aliases">): void {
  if (!isPredefined(network) || (aliases ?? []).length === 0) return;
  throw new EngineError("invalid", "network-scoped aliases are only supported for user-defined networks");
}

/** Refuses a container that lives in the host's network or in another's, or in none. @throws {EngineError} invalid */
export function checkCanJoin({ hostConfig, config }: ContainerRecord, network: string): void {
  const { kind } = parseNetworkMode(hostConfig.networkMode);
  if (kind === "container" || kind === "host" || network === "host") throw new EngineError("invalid", SHARED);
  if (kind === "none" || network === "none" || config.networkDisabled)
    throw new EngineError("invalid", PRIVATE);
}

function onlyOwn(
  asked: ReadonlyMap<string, EndpointConfig>,
  isOwn: (name: string) => boolean,
  refusal: string,
): ReadonlyMap<string, EndpointConfig> {
  if ([...asked.keys()].some((name) => !isOwn(name) && name !== "default"))
    throw new EngineError("invalid", refusal);
  return new Map();
}

/** Not "not found": of a create, clients take that for the image, and pull it. */
function known(
  reference: string,
  network: Pick<Network, "check">,
): { readonly name: string; readonly id: string } {
  try {
    return network.check({ network: reference });
  } catch (error) {
    if (!EngineError.is(error, "not-found")) throw error;
    throw new EngineError("invalid", `network ${reference} not found`, {
      cause: error,
      hint: "darse network ls",
    });
  }
}

function isPredefined(name: string): boolean {
  return name === DEFAULT_NETWORK || name === "host" || name === "none";
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
      return "bridge";
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
