import { EngineError } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import type { HostConfig } from "./host-config.ts";
import { DEFAULT_NETWORK, parseNetworkMode } from "./network-mode.ts";
import { portsOf } from "./port-spec.ts";
import type { ContainerRecord } from "./record.ts";
import { isAlive } from "./state.ts";

/** What links need of the registry. */
interface Records {
  get(reference: string): ContainerRecord;
}

/** Another container of the default bridge, under the name that the one which links it chose. */
export interface LinkedContainer {
  readonly alias: string;
  readonly record: ContainerRecord;
  readonly address: string;
}

/** `name:alias` or `name`, with the name as an id, so that a rename changes nothing. @throws {EngineError} invalid */
export function resolveLinks(links: readonly string[], idOf: (name: string) => ContainerId): string[] {
  return links.map((link) => {
    const [reference = "", alias = reference, ...rest] = link.split(":");
    if (reference === "" || alias === "" || rest.length > 0 || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(alias)) {
      throw new EngineError("invalid", `invalid link format: ${link}`);
    }
    return `${idOf(reference.replace(/^\//, ""))}:${alias.replace(/^\//, "")}`;
  });
}

/**
 * Those that a container of the default bridge links; in networks that people made a link is a name, and nothing more.
 *
 * @throws {EngineError} conflict when one does not run
 */
export function linkedContainers(
  registry: Records,
  { links, networkMode }: Pick<HostConfig, "links" | "networkMode">,
): LinkedContainer[] {
  const mode = parseNetworkMode(networkMode);
  if (mode.kind !== "network" || mode.name !== DEFAULT_NETWORK) return [];
  return (links ?? []).map((link) => {
    const [id = "", alias = ""] = link.split(":");
    const record = registry.get(id);
    const address = record.network.endpoints.find(({ networkName }) => networkName === DEFAULT_NETWORK)?.ipv4;
    if (!isAlive(record.state) || address === undefined) {
      throw new EngineError(
        "conflict",
        `Cannot link to a non running container: /${record.name} AS ${alias}`,
      );
    }
    return { alias, record, address };
  });
}

/** Lines of `/etc/hosts`, `alias hostname name:address`. moby daemon/container_operations.go. */
export function linkHosts(links: readonly LinkedContainer[]): string[] {
  return links.map(({ alias, record, address }) => {
    const names = [alias, record.config.hostname ?? "", alias === record.name ? "" : record.name];
    return `${names.filter((name) => name !== "").join(" ")}:${address}`;
  });
}

/** `DB_PORT_5432_TCP=tcp://172.17.0.2:5432` and its kin. moby daemon/links/links.go `ToEnv`. */
export function linkEnv(parent: string, links: readonly LinkedContainer[]): string[] {
  return links.flatMap(({ alias, record, address }) => {
    const prefix = alias.toUpperCase().replaceAll("-", "_");
    const ports = record.config.exposedPorts
      .flatMap(portsOf)
      .toSorted((left, right) => left.port - right.port);
    const urlOf = ({ port, protocol }: (typeof ports)[number]): string => `${protocol}://${address}:${port}`;
    const [first] = ports;
    return [
      `${prefix}_NAME=/${parent}/${alias}`,
      ...(first ? [`${prefix}_PORT=${urlOf(first)}`] : []),
      ...ports.flatMap((port) => {
        const name = `${prefix}_PORT_${port.port}_${port.protocol.toUpperCase()}`;
        return [
          `${name}=${urlOf(port)}`,
          `${name}_ADDR=${address}`,
          `${name}_PORT=${port.port}`,
          `${name}_PROTO=${port.protocol}`,
        ];
      }),
      ...(record.config.env ?? [])
        .filter((entry) => /^(?!HOME=|PATH=)[^=]+=/.test(entry))
        .map((entry) => `${prefix}_ENV_${entry}`),
    ];
  });
}
