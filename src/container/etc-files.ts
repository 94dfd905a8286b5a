import { renderHosts } from "#network/hosts.ts";
import type { NetworkState } from "./network-state.ts";
import type { ContainerRecord } from "./record.ts";

/** The three files of `/etc` that the engine writes and mounts over those of the image. */
export interface EtcFiles {
  readonly hostname: string;
  readonly hosts: string;
  readonly resolvConf: string;
}

/** What the host has, for containers that share its network. */
export interface HostNames {
  readonly hostname: string;
  readonly hosts: string;
}

/** The name a container gives itself. */
export function hostnameOf(
  { config, hostConfig, id }: ContainerRecord,
  host: Pick<HostNames, "hostname">,
): string {
  if (config.hostname !== undefined) return config.hostname;
  return hostConfig.networkMode === "host" || hostConfig.utsMode === "host" ? host.hostname : id.slice(0, 12);
}

/** Contents of the files, as Docker writes them (libnetwork's sandbox_dns_unix.go). */
export function etcFiles(
  record: ContainerRecord,
  network: NetworkState,
  {
    resolvConf,
    host,
    links = [],
  }: {
    readonly resolvConf: string;
    readonly host: HostNames;
    /** Of linked containers, `names:address`. */
    readonly links?: readonly string[];
  },
): EtcFiles {
  const { config, hostConfig } = record;
  const hostname = hostnameOf(record, host);
  const { domainname } = config;
  const extraHosts = [...(hostConfig.extraHosts ?? []), ...links];
  const isHostNetwork = hostConfig.networkMode === "host";
  const gateway = network.endpoints.find((one) => one.gateway !== undefined)?.gateway;
  return {
    hostname: `${domainname === undefined ? hostname : `${hostname}.${domainname}`}\n`,
    hosts:
      isHostNetwork && extraHosts.length === 0
        ? host.hosts
        : renderHosts({
            hostname,
            ...(domainname !== undefined && { domainname }),
            addresses: network.endpoints
              .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
              .filter((one) => one !== undefined),
            extraHosts,
            ...(gateway !== undefined && { gateway }),
            hasIpv6Loopback: true,
          }),
    resolvConf,
  };
}
