import type { Attachment, Endpoint } from "./attachment.ts";
import type { EndpointRequest } from "./network-request.ts";
import type { PortBinding, PortRequest } from "./port-publisher.ts";
import type { DnsOverrides } from "./resolv-conf.ts";

/** A container's way into the networks, as it was asked for. */
export interface AttachRequest {
  /** Of a container or a build step; names the namespace's file. */
  readonly id: string;
  /** Of a container, for errors and for comments in the firewall; build steps have none. */
  readonly name?: string;
  /** `container:` and the full id of one that is attached. */
  readonly mode: "bridge" | "host" | "none" | `container:${string}`;
  /** The networks to join, in mode `bridge`; the default bridge when absent. The first is the first interface. */
  readonly networks?: readonly EndpointRequest[];
  readonly ports: readonly PortRequest[];
  readonly dns?: DnsOverrides;
}

/** A container's place in the networks, from `attach` to `detach`. */
export interface Sandbox {
  /** Absent: the host's own namespace. */
  readonly namespacePath?: string;
  readonly endpoints: readonly Endpoint[];
  /** In the order of the request; one for each family. */
  readonly ports: readonly PortBinding[];
  /** Text of `/etc/resolv.conf`. */
  readonly resolvConf: string;
  /** What was its text before, of one that has joined a network since. */
  readonly formerResolvConf?: string;
}

/** What the one who asked gets to see of an attachment. */
export function sandboxOf({ namespacePath, endpoints, ports, resolvConf = "" }: Attachment): Sandbox {
  return { endpoints, ports, resolvConf, ...(namespacePath !== undefined && { namespacePath }) };
}
