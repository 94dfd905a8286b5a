// Engine API v1.55, networks: as far as they can be read.

/** A network, in a list. */
export interface NetworkSummary {
  readonly Name: string;
  readonly Id: string;
  readonly Created: string;
  readonly Scope: "local" | "swarm";
  readonly Driver: string;
  readonly EnableIPv4: boolean;
  readonly EnableIPv6: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: Readonly<Record<string, string>> | null;
    readonly Config: readonly IpamPool[] | null;
  };
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly ConfigOnly: boolean;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Labels: Readonly<Record<string, string>> | null;
}

export interface IpamPool {
  readonly Subnet: string;
  readonly Gateway?: string | undefined;
}

/** `GET /networks/{id}`. */
export interface NetworkInspect extends NetworkSummary {
  /** By container id: those that run. */
  readonly Containers: Readonly<Record<string, NetworkEndpoint>>;
}

export interface NetworkEndpoint {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  /** `172.17.0.2/16` */
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}
