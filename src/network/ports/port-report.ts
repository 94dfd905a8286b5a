import type { PortBinding } from "../port-publisher.ts";
import { blockerOf } from "./blocker.ts";
import type { Blocker } from "./blocker.ts";
import type { FirewallRules } from "./firewall-rules.ts";
import { obstacles } from "./packet-way.ts";
import type { Packet } from "./packet-way.ts";

/** A container as far as its ports depend on it. */
export interface PublishingContainer {
  readonly id: string;
  readonly name: string;
  /** In the order of the attachment: the first one with an address carries the ports. */
  readonly networks: readonly PublishingNetwork[];
  readonly ports: readonly PortBinding[];
}

export interface PublishingNetwork {
  readonly name: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** The host's interface. */
  readonly bridge?: string;
}

/** The host's firewall at one moment. */
export interface HostFirewall {
  /** Absent when they cannot be read: nothing is sure then. */
  readonly rules?: FirewallRules;
  /** Our own tables: they let pass what is published. */
  readonly ours: ReadonlySet<string>;
  /** The device of the default route. */
  readonly uplink?: string;
}

/** `not-published`: the port is not for them. `unclear`: rules decide on what is not known beforehand. */
export type ReachState = "open" | "blocked" | "unclear" | "not-published";

export interface Reach {
  readonly state: ReachState;
  readonly blockers: readonly Blocker[];
}

export interface PortReport extends PortBinding {
  readonly carriedBy: "kernel" | "proxy";
  readonly loopback: Reach;
  readonly outside: Reach;
  readonly containers: Reach;
}

const NOT_PUBLISHED: Reach = { state: "not-published", blockers: [] };

/** Who can reach each published port of a container, computed from what is and what the host's rules say. Pure. */
export function reportPorts(container: PublishingContainer, firewall: HostFirewall): PortReport[] {
  return container.ports.map((port) => {
    const { hostIp } = port;
    const isIpv6 = hostIp.includes(":");
    const isWildcard = hostIp === "0.0.0.0" || hostIp === "::";
    const isLoopback = hostIp.startsWith("127.") || hostIp === "::1";
    const network = container.networks.find((one) => one.ipv4 !== undefined || one.ipv6 !== undefined);
    const target = isIpv6 ? network?.ipv6 : network?.ipv4;
    const ways = packetWays(port, target, { bridge: network?.bridge, uplink: firewall.uplink });
    const reach = (packet: Packet): Reach => reachOf(packet, firewall);
    return {
      ...port,
      carriedBy: target === undefined ? "proxy" : "kernel",
      loopback: isWildcard || isLoopback ? reach(ways.loopback) : NOT_PUBLISHED,
      outside: isLoopback ? NOT_PUBLISHED : reach(ways.outside),
      containers: isLoopback ? NOT_PUBLISHED : reach(ways.containers),
    };
  });
}

type Ways = Readonly<Record<"loopback" | "outside" | "containers", Packet>>;

interface Devices {
  readonly bridge: string | undefined;
  readonly uplink: string | undefined;
}

/** Rules lead to the container past the host's own chain `input`; what the proxy takes comes by it. */
function packetWays(
  { protocol, hostIp, hostPort, containerPort }: PortBinding,
  target: string | undefined,
  { bridge, uplink }: Devices,
): Ways {
  const family = hostIp.includes(":") ? "ip6" : "ip";
  const from = uplink === undefined ? {} : { inInterface: uplink };
  const toProxy: Packet = { hook: "input", family, protocol, port: hostPort, isRedirected: false };
  const proxied = { loopback: { ...toProxy, inInterface: "lo" }, outside: { ...toProxy, ...from } };
  if (target === undefined) return { ...proxied, containers: toProxy };
  const toContainer: Packet = {
    hook: "forward",
    family,
    protocol,
    destination: target,
    port: containerPort,
    isRedirected: true,
    ...(bridge !== undefined && { outInterface: bridge }),
  };
  return {
    loopback: family === "ip6" ? proxied.loopback : { ...toContainer, hook: "output", source: "127.0.0.1" },
    outside: { ...toContainer, ...from },
    containers: { ...toContainer, ...(bridge !== undefined && { inInterface: bridge }) },
  };
}

function reachOf(packet: Packet, { rules, ours }: HostFirewall): Reach {
  if (rules === undefined) return { state: "unclear", blockers: [] };
  const found = obstacles(rules, packet, ours);
  const blockers = found.map((one) => blockerOf(rules, one, packet));
  if (found.length === 0) return { state: "open", blockers };
  return { state: found.some((one) => one.isCertain) ? "blocked" : "unclear", blockers };
}
