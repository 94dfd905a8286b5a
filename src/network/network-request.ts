/** A network as somebody asks for it. Texts are as they came: `planNetwork` looks at them. */
export interface NetworkRequest {
  readonly name: string;
  /** `bridge` when absent or empty. */
  readonly driver?: string;
  readonly scope?: string;
  /** True when absent. */
  readonly hasIpv4?: boolean;
  /** False when absent. */
  readonly hasIpv6?: boolean;
  readonly isInternal?: boolean;
  readonly isAttachable?: boolean;
  readonly isIngress?: boolean;
  readonly isConfigOnly?: boolean;
  /** The name of a network that is nothing but settings. */
  readonly configFrom?: string;
  readonly ipamDriver?: string;
  readonly ipamOptions?: Readonly<Record<string, string>>;
  readonly pools?: readonly PoolRequest[];
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface PoolRequest {
  readonly subnet?: string;
  readonly range?: string;
  readonly gateway?: string;
  readonly auxiliary?: Readonly<Record<string, string>>;
}

/** An interface in a network as somebody asks for it. */
export interface EndpointRequest {
  /** Name, id or unique start of an id. */
  readonly network: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** Further addresses, which mean something on the link alone. */
  readonly linkLocal?: readonly string[];
  readonly mac?: string;
  /** What it is called there; the first is the one it is shown under. */
  readonly names?: readonly string[];
  /** Names that this container alone knows others by, to the ids of the others. */
  readonly links?: Readonly<Record<string, string>>;
  /** Docker's names: `com.docker.network.endpoint.ifname`. */
  readonly options?: Readonly<Record<string, string>>;
  /** The network with the highest is the way out. */
  readonly gatewayPriority?: number;
}
