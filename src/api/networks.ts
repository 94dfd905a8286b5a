import type { EndpointSettings } from "./containers.ts";
import type { Sparse } from "./sparse.ts";

// Engine API v1.55, networks.

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
  readonly IPRange?: string | undefined;
  readonly Gateway?: string | undefined;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>> | undefined;
}

/** `GET /networks/{id}`. */
export interface NetworkInspect extends NetworkSummary {
  /** By container id: those that run. */
  readonly Containers: Readonly<Record<string, NetworkEndpoint>>;
  /** From 1.52. */
  readonly Status?: NetworkStatus | undefined;
}

export interface NetworkStatus {
  readonly IPAM: {
    /** By subnet. */
    readonly Subnets: Readonly<
      Record<string, { readonly IPsInUse: number; readonly DynamicIPsAvailable: number }>
    >;
  };
}

export interface NetworkEndpoint {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  /** `172.17.0.2/16` */
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}

/** `POST /networks/create` */
export interface NetworkCreateRequest {
  readonly Name: string;
  readonly Driver?: string | undefined;
  readonly Scope?: string | undefined;
  readonly EnableIPv4?: boolean | undefined;
  readonly EnableIPv6?: boolean | undefined;
  readonly IPAM?: NetworkIpamRequest | undefined;
  readonly Internal?: boolean | undefined;
  readonly Attachable?: boolean | undefined;
  readonly Ingress?: boolean | undefined;
  readonly ConfigOnly?: boolean | undefined;
  readonly ConfigFrom?: { readonly Network: string } | undefined;
  readonly Options?: Readonly<Record<string, string>> | undefined;
  readonly Labels?: Readonly<Record<string, string>> | undefined;
}

export interface NetworkIpamRequest {
  readonly Driver: string;
  readonly Options: Readonly<Record<string, string>>;
  readonly Config: readonly IpamPoolRequest[];
}

export interface IpamPoolRequest {
  readonly Subnet?: string | undefined;
  readonly IPRange?: string | undefined;
  readonly Gateway?: string | undefined;
  /** By a name of the caller's choice. */
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>> | undefined;
}

export interface NetworkCreateResponse {
  readonly Id: string;
  readonly Warning: string;
}

/** `POST /networks/{id}/connect` */
export interface NetworkConnectRequest {
  readonly Container: string;
  readonly EndpointConfig?: Sparse<EndpointSettings> | undefined;
}

/** `POST /networks/prune` */
export interface NetworkPruneReport {
  readonly NetworksDeleted: readonly string[] | null;
}
