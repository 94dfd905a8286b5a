import type { BridgeSettings } from "./bridge-settings.ts";
import { quotable } from "./publish-rules.ts";
import { familyOf } from "./subnet.ts";
import type { Family } from "./subnet.ts";

/** A bridge as the firewall sees it. */
export interface NetworkRules
  extends Pick<
    BridgeSettings,
    "name" | "subnets" | "isInternal" | "hasIcc" | "masquerades" | "modes" | "sourceAddresses"
  > {
  /** Of the network, for people. */
  readonly networkName: string;
  /** The bridge's own addresses. */
  readonly gateways: readonly string[];
}

const KEYWORD: Readonly<Record<Family, string>> = { ipv4: "ip", ipv6: "ip6" };

/** What 127/8 means stays what it is: no container comes from there. In a chain that sees packets before their way is known. */
export function guardRules(networks: readonly NetworkRules[]): string[] {
  return networks.map(({ name }) => `iifname "${name}" ip saddr 127.0.0.0/8 drop`);
}

/** Containers behind the host, where the answer would not come back otherwise. */
export function sourceRules(network: NetworkRules): string[] {
  const { name, subnets, isInternal } = network;
  if (isInternal) return [];
  return [
    `oifname "${name}" ip saddr 127.0.0.0/8 masquerade`,
    ...subnets.flatMap((subnet) => {
      const source = `${KEYWORD[familyOf(subnet)]} saddr ${subnet}`;
      return [
        `oifname "${name}" ${source} ct status dnat masquerade`,
        ...outward(network, subnet).map((verdict) => `oifname != "${name}" ${source} ${verdict}`),
      ];
    }),
  ];
}

/** In `forward`: every bridge's traffic goes to the chain that knows it; what touches none is not judged. */
export function forwardRules(networks: readonly NetworkRules[]): string[] {
  const closed = networks.filter(isClosed);
  const map = (some: readonly NetworkRules[], chainOf: (network: NetworkRules) => string): string =>
    `vmap { ${some.map((one) => `"${one.name}" : jump ${chainOf(one)}`).join(", ")} }`;
  return [
    "ct state established,related accept",
    ...(closed.length > 0 ? [`iifname ${map(closed, from)}`] : []),
    ...(networks.length > 0 ? [`oifname ${map(networks, to)}`] : []),
  ];
}

/** The chains that `forwardRules` jumps to, by name. */
export function forwardChains(networks: readonly NetworkRules[]): [name: string, rules: string[]][] {
  return networks.flatMap((network): [string, string[]][] => [
    ...(isClosed(network) ? [[from(network), fromRules(network)] satisfies [string, string[]]] : []),
    [to(network), toRules(network)],
  ]);
}

/** Nothing leaves it. */
function isClosed({ isInternal }: NetworkRules): boolean {
  return isInternal;
}

function fromRules({ name, networkName }: NetworkRules): string[] {
  return [`oifname != "${name}" drop comment "${quotable(`network ${networkName} is internal`)}"`];
}

/** Every packet to the bridge ends here: what is not let in is dropped. */
function toRules({ name, networkName, hasIcc, isInternal, modes, subnets }: NetworkRules): string[] {
  const families = (["ipv4", "ipv6"] as const).filter((family) =>
    subnets.some((one) => familyOf(one) === family),
  );
  const open = families.filter((family) => modes[family] === "nat-unprotected");
  const routed = families.filter((family) => modes[family] === "routed");
  const isOpenTo = (family: Family): string => `meta nfproto ${family} accept`;
  const ping: Readonly<Record<Family, string>> = {
    ipv4: "icmp type echo-request accept",
    ipv6: "icmpv6 type echo-request accept",
  };
  const comment = `comment "${quotable(`network ${networkName}`)}"`;
  if (isInternal) return [`iifname "${name}" ${hasIcc ? "accept" : "drop"}`, `drop ${comment}`];
  return [
    // Also by published ports: whether such packets leave the bridge at all depends on settings of the host.
    `iifname "${name}" ${hasIcc ? "accept" : "drop"}`,
    "ct status dnat accept",
    ...open.map(isOpenTo),
    ...routed.map((family) => ping[family]),
    ...(routed.length > 0 ? ["jump opened"] : []),
    `drop ${comment}`,
  ];
}

function outward({ masquerades, modes, sourceAddresses }: NetworkRules, subnet: string): string[] {
  const family = familyOf(subnet);
  const mode = modes[family];
  if (mode === "routed" || mode === "isolated") return [];
  const source = sourceAddresses[family];
  if (source !== undefined) return [`snat ${KEYWORD[family]} to ${source}`];
  return masquerades ? ["masquerade"] : [];
}

function from({ name }: NetworkRules): string {
  return `from_${name}`;
}

function to({ name }: NetworkRules): string {
  return `to_${name}`;
}
