import { FALLBACK_SERVERS, NAME_SERVER_ADDRESS, parseResolvConf } from "../resolv-conf.ts";
import type { DnsOverrides } from "../resolv-conf.ts";

/** A server that is asked what we do not know. */
export interface Upstream {
  readonly address: string;
  /** Whose network the question leaves from: the container's own, so that whatever it may not reach stays out of reach,
   * or the host's where the address means nothing in the container. */
  readonly from: "container" | "host";
}

export interface UpstreamChoice {
  /** The text of the host's `/etc/resolv.conf`. */
  readonly hostText: string;
  readonly overrides?: DnsOverrides;
  /** False on networks that are internal alone. */
  readonly hasWayOut: boolean;
  readonly hasIpv6: boolean;
}

/** More are not asked, as in the C library. */
const MAX_UPSTREAMS = 3;

/**
 * Whom a container's questions are passed on to. One without a way out is never helped out by the host: only servers
 * that were named for it are asked, from its own network. Source: moby, libnetwork/internal/resolvconf; CVE-2024-29018.
 */
export function chooseUpstreams({ hostText, overrides, hasWayOut, hasIpv6 }: UpstreamChoice): Upstream[] {
  const asked = overrides?.servers ?? [];
  const given = asked.map((address): Upstream => ({ address, from: "container" }));
  const { servers } = parseResolvConf(hostText);
  const ofHost = (servers.length > 0 ? servers : FALLBACK_SERVERS).map((address): Upstream => {
    const isWithin = address.startsWith("127.") || address === "::1" || (address.includes(":") && !hasIpv6);
    return { address, from: isWithin ? "host" : "container" };
  });
  const chosen = asked.length > 0 ? given : hasWayOut ? ofHost : [];
  return chosen
    .filter((one) => one.address !== NAME_SERVER_ADDRESS || one.from === "host")
    .slice(0, MAX_UPSTREAMS);
}
