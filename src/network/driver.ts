import type { Endpoint } from "./attachment.ts";
import type { Publication } from "./publish-rules.ts";

/** One network as the kernel knows it. A kind of network is a way to make this. */
export interface Driver {
  /** Makes the network exist, and whole, also where others took parts of it away; cheap when it is. @throws {EngineError} */
  ensure(): Promise<void>;
  /** Gives the namespace at `namespacePath` the endpoint as interface `eth0`, with its default route. */
  connect(endpoint: ConnectedEndpoint, options: ConnectOptions): void;
  /** Takes the endpoint away; success when it is gone already. */
  disconnect(endpoint: Endpoint): Promise<void>;
  /** Makes exactly these ports reach containers. Free when nothing changed; adding is cheaper than taking away. */
  publish(publications: readonly Publication[]): Promise<void>;
  /** Makes senders whose datagrams went elsewhere until now come to these UDP ports. */
  redirectSenders(ports: readonly number[]): Promise<void>;
  /** Names of the host's interfaces that are ports of this network, for recovery. */
  hostInterfaces(): string[];
  /** True when anything of it is in the kernel. */
  exists(): boolean;
  /** Leaves nothing of it behind. */
  remove(): Promise<void>;
  /** Ends our use of it; the network goes on. */
  close(): void;
}

/** An endpoint with all that an interface needs. */
export type ConnectedEndpoint = Endpoint &
  Required<Pick<Endpoint, "ipv4" | "prefix" | "gateway" | "mac" | "hostInterface">>;

export interface ConnectOptions {
  readonly namespacePath: string;
  /** The container publishes ports, and may reach itself through them. */
  readonly hasPorts: boolean;
}
