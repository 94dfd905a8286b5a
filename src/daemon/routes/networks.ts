import { EngineError } from "#base/errors.ts";
import { parseTimestamp } from "#base/timestamp.ts";
import type { Clock } from "#base/clock.ts";
import type { EndpointConfig } from "#container/host-config.ts";
import { type Filters, textMatches } from "#container/list-filters.ts";
import type { Attachment } from "#network/attachment.ts";
import { isPredefined } from "#network/network-record.ts";
import type { NetworkInfo } from "#network/network-record.ts";
import type { NetworkRequest } from "#network/network-request.ts";
import { filtersQuery } from "../http/query.ts";
import { json, NO_CONTENT, type Reply, type Route } from "../http/route.ts";
import { checkKeys, isOn, matchesLabels } from "../object-filters.ts";
import { decodeConnect, decodeDisconnect, decodeNetworkRequest } from "./networks-decode.ts";
import { encodeInspect, encodeNetwork } from "./networks-encode.ts";

/** What the routes need of the manager of networks. */
export interface Networks {
  list(): readonly NetworkInfo[];
  /** @throws {EngineError} not-found */
  get(nameOrId: string): NetworkInfo;
  attachments(networkId: string): readonly Attachment[];
  addressesInUse(networkId: string, subnet: string): number;
  create(request: NetworkRequest): Promise<NetworkInfo>;
  remove(nameOrId: string): Promise<NetworkInfo>;
  /** Gives the names of those removed. */
  prune(isWanted: (network: NetworkInfo) => boolean): Promise<readonly string[]>;
}

/** What they need of containers: those know of the networks they are in, whether they run or not. */
export interface NetworkedContainers {
  connectNetwork(reference: string, network: string, endpoint: EndpointConfig): Promise<void>;
  disconnectNetwork(reference: string, network: string, options: { readonly force: boolean }): Promise<void>;
}

export interface NetworkRoutesOptions {
  readonly networks: Networks;
  readonly containers: NetworkedContainers;
  /** Every container's name by its id: build steps are attached too, and are none. */
  readonly containerNames: () => ReadonlyMap<string, string>;
  readonly clock: Clock;
}

/** Docker answers 200 with nothing in it. */
const EMPTY: Reply = { kind: "empty", status: 200 };

/** The routes of Engine API group Network. */
export function networkRoutes(options: NetworkRoutesOptions): Route[] {
  return [...readRoutes(options), ...writeRoutes(options)];
}

function readRoutes({ networks, containerNames }: NetworkRoutesOptions): Route[] {
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
      async handle({ param, query, apiVersion }) {
        checkVerbose(query.get("verbose"));
        const network = networks.get(param("id"));
        if ((query.get("scope") || "local") !== "local") {
          throw new EngineError("not-found", `network ${param("id")} not found`);
        }
        const addressesIn = (subnet: string): number => networks.addressesInUse(network.id, subnet);
        return json(
          encodeInspect(network, {
            attachments: networks.attachments(network.id),
            names: containerNames(),
            ...(apiVersion.atLeast(1, 52) && { addressesIn }),
          }),
        );
      },
    },
  ];
}

function writeRoutes({ networks, containers, clock }: NetworkRoutesOptions): Route[] {
  return [
    {
      method: "POST",
      path: "/networks/create",
      async handle({ json: body, apiVersion }) {
        const { id } = await networks.create(decodeNetworkRequest(await body(), apiVersion));
        return json({ Id: id, Warning: "" }, 201);
      },
    },
    {
      method: "DELETE",
      path: "/networks/{id}",
      async handle({ param }) {
        await networks.remove(param("id"));
        return NO_CONTENT;
      },
    },
    {
      method: "POST",
      path: "/networks/{id}/connect",
      async handle({ param, json: body, apiVersion }) {
        const { container, endpoint } = decodeConnect(await body(), apiVersion);
        await containers.connectNetwork(container, param("id"), endpoint);
        return EMPTY;
      },
    },
    {
      method: "POST",
      path: "/networks/{id}/disconnect",
      async handle({ param, json: body }) {
        const { container, force } = decodeDisconnect(await body());
        await containers.disconnectNetwork(container, param("id"), { force });
        return EMPTY;
      },
    },
    {
      method: "POST",
      path: "/networks/prune",
      async handle({ query }) {
        const removed = await networks.prune(pruneTest(filtersQuery(query), clock()));
        return json({ NetworksDeleted: removed.length > 0 ? removed : null });
      },
    },
  ];
}

function pruneTest(filters: Filters, nowMs: number): (network: NetworkInfo) => boolean {
  checkKeys(filters, ["label", "label!", "until"]);
  const until = filters.get("until") ?? [];
  if (until.length > 1) throw new EngineError("invalid", "more than one until filter specified");
  const [untilMs] = until.map((text) => Number(parseTimestamp(text, nowMs)) * 1000);
  return ({ created, labels }) =>
    (untilMs === undefined || created <= untilMs) && matchesLabels(new Map(Object.entries(labels)), filters);
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

/** It adds what services of a swarm have: nothing, here. @throws {EngineError} invalid */
function checkVerbose(text: string | null): void {
  if (text === null || text === "" || /^(1|t|true|0|f|false)$/i.test(text)) return;
  throw new EngineError("invalid", `invalid value for verbose: ${text}`);
}
