/** Answer of `GET /darse/ports`: who can reach what. Ours alone; Docker has no such call. */
export interface PortsReport {
  readonly Containers: readonly ContainerPorts[];
  /** What of the host's firewall could not be seen, in sentences. Empty when all could. */
  readonly Unseen: readonly string[];
}

export interface ContainerPorts {
  readonly Id: string;
  readonly Name: string;
  /** The container's own addresses, by network: reached from the host, and from containers of the same network. */
  readonly Networks: readonly { readonly Name: string; readonly Addresses: readonly string[] }[];
  readonly Ports: readonly PublishedPort[];
}

export interface PublishedPort {
  readonly PrivatePort: number;
  readonly Type: "tcp" | "udp" | "sctp";
  /** `0.0.0.0` or `::` is every address of the host in that family. */
  readonly IP: string;
  readonly PublicPort: number;
  /** The container sees the asker's own address where the kernel carries, and the gateway's where the proxy does. */
  readonly CarriedBy: "kernel" | "proxy";
  /** From the host itself, by 127.0.0.1 or ::1. */
  readonly Loopback: Reach;
  /** From other machines. */
  readonly Outside: Reach;
  /** From containers, by an address of the host. */
  readonly Containers: Reach;
}

export interface Reach {
  /** `not-published`: the port is not for them. `unclear`: rules decide on what is not known beforehand. */
  readonly State: "open" | "blocked" | "unclear" | "not-published";
  /** Rules of the host that count against it. */
  readonly Blockers: readonly Blocker[];
}

export interface Blocker {
  /** `docker`, `ufw`, `firewalld`, or the table's name. */
  readonly Firewall: string;
  /** `ip filter FORWARD: policy drop`. */
  readonly Rule: string;
  /** A command that lets the port pass. */
  readonly Remedy: string;
}
