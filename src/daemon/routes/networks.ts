import type { NetworkEndpoint, NetworkInspect, NetworkSummary } from "#api/networks.ts";
import { rfc3339 } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import { type Filters, textMatches } from "#container/list-filters.ts";
import type { Attachment } from "#network/attachment.ts";
import type { NetworkInfo } from "#network/network-record.ts";
import { filtersQuery } from "../http/query.ts";
import { json, notYet, type Route } from "../http/route.ts";
import { checkKeys, isOn, matchesLabels } from "../object-filters.ts";

/** What the routes need of the manager of networks. */
export interface Networks {
  list(): readonly NetworkInfo[];
  /** @throws {EngineError} not-found */
  get(nameOrId: string): NetworkInfo;
  attachments(networkId: string): readonly Attachment[];
}

export interface NetworkRoutesOptions {
  readonly networks: Networks;
  /** Every container's name by its id: build steps are attached too, and are none. */
  readonly containerNames: () => ReadonlyMap<string, string>;
}

const USER_DEFINED = {
  missing: "user-defined networks are not there yet, only bridge, host and none",
  hint: "use --network bridge and published ports, or --network container:NAME to share one",
};

/** The routes of Engine API group Network: what can be read of the networks that every engine has. */
export function networkRoutes({ networks, containerNames }: NetworkRoutesOptions): Route[] {
  const list: Route["handle"] = async ({ query }) => {
    const filters = filtersQuery(query);
    checkKeys(filters, ["dangling", "driver", "id", "label", "name", "scope", "type"]);
    const isDangling = ({ id, name }: NetworkInfo): boolean =>
      !isPredefined(name) && networks.attachments(id).length === 0;
    return json(
      networks
        .list()
        .filter((network) => matches(network, filters, isDangling))
        .map(encodeNetwork),
    );
  };
  return [
    { method: "GET", path: "/networks", handle: list },
    { method: "GET", path: "/networks/", handle: list },
    {
      method: "GET",
      path: "/networks/{id}",
      async handle({ param }) {
        const network = networks.get(param("id"));
        return json(encodeInspect(network, networks.attachments(network.id), containerNames()));
      },
    },
    {
      method: "DELETE",
      path: "/networks/{id}",
      async handle({ param }) {
        const { name } = networks.get(param("id"));
        throw new EngineError("forbidden", `${name} is a pre-defined network and cannot be removed`);
      },
    },
    {
      method: "POST",
      path: "/networks/prune",
      async handle({ query }) {
        checkKeys(filtersQuery(query), ["label", "label!", "until"]);
        // The predefined ones stay, and there are no others.
        return json({ NetworksDeleted: null });
      },
    },
    notYet("POST", "/networks/create", USER_DEFINED),
    notYet("POST", "/networks/{id}/connect", USER_DEFINED),
    notYet("POST", "/networks/{id}/disconnect", USER_DEFINED),
  ];
}

function matches(
  network: NetworkInfo,
  filters: Filters,
  isDangling: (network: NetworkInfo) => boolean,
): boolean {
  const any = (key: string, holds: (value: string) => boolean): boolean => {
    const values = filters.get(key) ?? [];
    return values.length === 0 || values.some(holds);
  };
  const dangling = filters.get("dangling");
  if (dangling && isDangling(network) !== isOn("dangling", dangling)) return false;
  for (const type of filters.get("type") ?? []) {
    if (type !== "builtin" && type !== "custom") {
      throw new EngineError("invalid", `invalid filter: 'type'='${type}'`);
    }
  }
  return (
    any("driver", (value) => network.driver === value) &&
    any("id", (value) => textMatches(network.id, value)) &&
    any("name", (value) => textMatches(network.name, value)) &&
    any("scope", (value) => value === "local") &&
    any("type", (value) => isPredefined(network.name) === (value === "builtin")) &&
    matchesLabels(new Map(Object.entries(network.labels)), filters)
  );
}

function isPredefined(name: string): boolean {
  return ["bridge", "host", "none"].includes(name);
}

function encodeNetwork(network: NetworkInfo): NetworkSummary {
  const { id, name, driver, created, subnet, gateway, labels, options } = network;
  return {
    Name: name,
    Id: id,
    Created: rfc3339(created),
    Scope: "local",
    Driver: driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: "default",
      Options: null,
      Config: subnet === undefined ? null : [{ Subnet: subnet, ...(gateway && { Gateway: gateway }) }],
    },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Options: options,
    Labels: labels,
  };
}

function encodeInspect(
  network: NetworkInfo,
  attachments: readonly Attachment[],
  names: ReadonlyMap<string, string>,
): NetworkInspect {
  const endpoints = attachments.flatMap((attachment): [string, NetworkEndpoint][] => {
    const name = names.get(attachment.id);
    const endpoint = attachment.endpoints.find(({ networkId }) => networkId === network.id);
    if (name === undefined || endpoint === undefined) return [];
    const { endpointId, mac = "", ipv4, prefix } = endpoint;
    const address = ipv4 === undefined ? "" : `${ipv4}/${prefix}`;
    return [
      [
        attachment.id,
        { Name: name, EndpointID: endpointId, MacAddress: mac, IPv4Address: address, IPv6Address: "" },
      ],
    ];
  });
  return { ...encodeNetwork(network), Containers: Object.fromEntries(endpoints) };
}
