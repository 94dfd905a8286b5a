import type { Kernel } from "#linux/kernel.ts";
import type { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import type { Endpoint } from "./attachment.ts";
import type { NetworkRules } from "./network-rules.ts";

/** What of the kernel's door the networks use. */
export type NetworkKernel = Pick<
  Kernel,
  "createNetworkNamespace" | "removeNetworkNamespace" | "inNetworkNamespace" | "readSysctl" | "writeSysctl"
>;

/** One network as the kernel knows it. A kind of network is a way to make this. */
export interface Driver {
  /** What the firewall is to know of it; absent where packets do not pass the host's own rules. */
  readonly rules?: NetworkRules;
  /** The MTU of its interfaces; the kernel's own choice when absent. */
  readonly mtu?: number;
  /** True when all of it is in the kernel, as far as a look of some microseconds can tell. */
  isWhole(): boolean;
  /** Makes what is missing, the same again changes nothing. @throws {EngineError} */
  prepare(): void;
  /** Opens what must not be open before the rules of the firewall are in force. */
  open(): void;
  /** Makes the endpoint's interface inside, with its final name; called with the thread inside the namespace. */
  connect(endpoint: Endpoint, options: ConnectOptions): void;
  /** Takes the endpoint away; success when it is gone already. */
  disconnect(endpoint: Endpoint): Promise<void>;
  /** Names of the host's interfaces that are ports of this network, for recovery. */
  hostInterfaces(): string[];
  /** True when anything of it is in the kernel. */
  exists(): boolean;
  /** Leaves nothing of it behind. */
  remove(): Promise<void>;
}

export interface ConnectOptions {
  readonly namespacePath: string;
  /** Of the namespace. */
  readonly inside: Rtnetlink;
  /** The container publishes ports, and may reach itself through them. */
  readonly hasPorts: boolean;
}
