/** What a container's `/etc/hosts` is made of. */
export interface HostsOptions {
  readonly hostname: string;
  readonly domainname?: string;
  /** The container's own addresses, IPv4 first; empty without a network of its own. */
  readonly addresses: readonly string[];
  /** `name:address` as given by `--add-host`; the address `host-gateway` means `gateway`. */
  readonly extraHosts: readonly string[];
  /** The host as seen from the container. */
  readonly gateway?: string;
  /** Leave out the lines of IPv6 when the container has none at all, not even `::1`. */
  readonly hasIpv6Loopback: boolean;
}

const IPV6_LINES: readonly (readonly [string, string])[] = [
  ["::1", "localhost ip6-localhost ip6-loopback"],
  ["fe00::", "ip6-localnet"],
  ["ff00::", "ip6-mcastprefix"],
  ["ff02::1", "ip6-allnodes"],
  ["ff02::2", "ip6-allrouters"],
];

/** The text of `/etc/hosts`: fixed lines, extra hosts, own addresses; tabs between (moby, libnetwork/etchosts). */
export function renderHosts(options: HostsOptions): string {
  const lines: (readonly [string, string])[] = [["127.0.0.1", "localhost"]];
  if (options.hasIpv6Loopback) lines.push(...IPV6_LINES);
  for (const entry of options.extraHosts) lines.push(...extraHost(entry, options.gateway));
  const names = ownNames(options.hostname, options.domainname);
  for (const address of options.addresses) lines.push([address, names]);
  return lines.map(([address, name]) => `${address}\t${name}\n`).join("");
}

/** `web.example.org web`: the full name, and the short one when they differ. */
function ownNames(hostname: string, domainname: string | undefined): string {
  const full = domainname ? `${hostname}.${domainname}` : hostname;
  const dot = full.indexOf(".");
  return dot === -1 ? full : `${full} ${full.slice(0, dot)}`;
}

/** The name ends at the first colon, as addresses may hold more; brackets round an IPv6 address are dropped. */
function extraHost(entry: string, gateway: string | undefined): (readonly [string, string])[] {
  const colon = entry.indexOf(":");
  const name = entry.slice(0, colon);
  const address = entry.slice(colon + 1);
  if (address !== "host-gateway") return [[address.replace(/^\[(.*)\]$/, "$1"), name]];
  return gateway === undefined ? [] : [[gateway, name]];
}
