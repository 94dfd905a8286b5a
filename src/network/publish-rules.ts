import type { PortProtocol } from "./port-publisher.ts";

/** A published port that rules of the firewall lead to a container; both addresses are of one family. */
export interface Publication {
  readonly protocol: PortProtocol;
  /** `0.0.0.0` or `::` is every address of the host in that family. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly address: string;
  readonly containerPort: number;
  /** The container is reached at its own address, with no translation: its network is routed. */
  readonly isDirect?: boolean;
  /** For people: container and network. */
  readonly comment: string;
}

/** Longest comment nftables takes. */
const COMMENT_BYTES = 120;

/**
 * The rule of one port, in a chain that sees what is addressed to the host; two publications with the same text are the
 * same. What comes from `::1`, or from an address that means something on its link alone, is left to the proxy that
 * listens there: the kernel would not forward it. Pure.
 */
export function publishRule({
  protocol,
  hostIp,
  hostPort,
  address,
  containerPort,
  comment,
}: Publication): string {
  const isIpv6 = address.includes(":");
  const from = isIpv6 ? "ip6 saddr != { ::1, fe80::/10 } " : "";
  const to = hostIp === "0.0.0.0" || hostIp === "::" ? "" : `${isIpv6 ? "ip6" : "ip"} daddr ${hostIp} `;
  const target = isIpv6 ? `dnat ip6 to [${address}]` : `dnat ip to ${address}`;
  return `${from}${to}${protocol} dport ${hostPort} ${target}:${containerPort} comment "${quotable(comment)}"`;
}

/** The rule that lets in what is addressed to a container's own port. */
export function openRule({ protocol, address, containerPort, comment }: Publication): string {
  const family = address.includes(":") ? "ip6" : "ip";
  return `${family} daddr ${address} ${protocol} dport ${containerPort} accept comment "${quotable(comment)}"`;
}

/** Text that cannot leave its quotes: names come from people. */
export function quotable(text: string): string {
  return text.replaceAll(/[^\w ./:()-]/g, "_").slice(0, COMMENT_BYTES);
}
