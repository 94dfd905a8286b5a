import { EngineError } from "#base/errors.ts";
import { checkBridgeOptions } from "./bridge-settings.ts";
import { checkLanOptions } from "./lan-settings.ts";
import { isPredefined } from "./network-record.ts";
import type { DriverName, NetworkInfo, NewNetwork } from "./network-record.ts";
import type { NetworkRequest } from "./network-request.ts";
import { planPools } from "./pool-plan.ts";
import type { PoolWorld } from "./pool-plan.ts";
import type { Family } from "./subnet.ts";

export interface PlanWorld extends PoolWorld {
  readonly existing: readonly NetworkInfo[];
  /** Epoch milliseconds. */
  readonly now: number;
}

/** Settings of a network that it may take over from another. */
type Settings = Pick<NetworkRequest, "hasIpv4" | "hasIpv6" | "pools" | "options" | "labels" | "ipamDriver">;

/**
 * What a request comes to, given what there is; touches nothing. Pure.
 *
 * @throws {EngineError} invalid, forbidden, conflict or not-found, in Docker's words where it has some
 */
export function planNetwork(request: NetworkRequest, world: PlanWorld): NewNetwork {
  checkName(request.name, world.existing);
  checkSwarm(request);
  const driver = request.isConfigOnly ? "null" : driverOf(request.driver || "bridge");
  checkConfig(request);
  const base = { ...request, ...settingsFrom(request, world.existing) };
  const { hasIpv4, hasIpv6 } = families(base);
  const shape = {
    name: request.name,
    driver,
    created: world.now,
    hasIpv4,
    hasIpv6,
    isInternal: request.isInternal ?? false,
    isAttachable: request.isAttachable ?? false,
    isConfigOnly: request.isConfigOnly ?? false,
    ...(request.configFrom && { configFrom: request.configFrom }),
    ipamDriver: base.ipamDriver || "default",
    ipamOptions: base.ipamOptions ?? {},
    labels: base.labels ?? {},
    options: base.options ?? {},
  };
  if (shape.isConfigOnly) return { ...shape, pools: (base.pools ?? []).flatMap(keptPool) };
  checkIpamDriver(shape.ipamDriver);
  if (driver === "bridge") checkBridgeOptions(shape.options, world.existing);
  else checkLanOptions({ ...shape, driver }, world.existing);
  if (shape.ipamDriver === "null") return { ...shape, pools: [] };
  const wanted: Family[] = [...(hasIpv4 ? ["ipv4" as const] : []), ...(hasIpv6 ? ["ipv6" as const] : [])];
  const isLan = driver !== "bridge";
  const wish = { families: wanted, needsGateway: !isLan, sharesHostSubnets: isLan };
  return { ...shape, pools: planPools({ ...wish, pools: base.pools ?? [] }, world) };
}

function checkName(name: string, existing: readonly NetworkInfo[]): void {
  if (isPredefined(name) || name === "default") {
    throw new EngineError("forbidden", `operation is not permitted on predefined ${name} network `);
  }
  if (name.trim() === "") throw new EngineError("invalid", "invalid name: name is empty");
  if (!/^[\w.-][\w .:@+-]{0,254}$/.test(name)) {
    throw new EngineError(
      "invalid",
      `invalid name: ${JSON.stringify(name)} has characters other than letters, digits and _.- :@+`,
    );
  }
  const other = existing.find((network) => network.name === name);
  if (other) {
    throw new EngineError("conflict", `network with name ${name} already exists`, {
      hint: `darse network rm ${name}, or another name`,
    });
  }
}

function checkSwarm({ scope, driver, isIngress }: NetworkRequest): void {
  if (driver === "overlay") {
    throw new EngineError(
      "forbidden",
      `This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`,
      {
        hint: "overlay networks span the hosts of a swarm, which this engine does not form: use the driver bridge on one host, macvlan on a LAN",
      },
    );
  }
  if (isIngress) throw new EngineError("forbidden", "Ingress network can only be global scope network");
  if (scope === "swarm") {
    throw new EngineError("forbidden", "cannot create a swarm scoped network when swarm is not active");
  }
  if (scope !== undefined && scope !== "" && scope !== "local") {
    throw new EngineError("invalid", `invalid network scope: ${scope}`);
  }
}

function driverOf(text: string): DriverName {
  if (text === "bridge" || text === "macvlan" || text === "ipvlan") return text;
  if (text === "host" || text === "null") {
    throw new EngineError("forbidden", `only one instance of "${text}" network is allowed`);
  }
  throw new EngineError("not-found", `plugin ${JSON.stringify(text)} not found`, {
    hint: "there are the drivers bridge, macvlan, ipvlan, host and none",
  });
}

function checkConfig(request: NetworkRequest): void {
  const { isConfigOnly, isIngress, isInternal, isAttachable, scope, configFrom } = request;
  if (isConfigOnly && (isIngress || isInternal || isAttachable || scope)) {
    throw new EngineError(
      "forbidden",
      "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.",
    );
  }
  if (!configFrom) return;
  if (isConfigOnly) {
    throw new EngineError(
      "forbidden",
      "a configuration network cannot depend on another configuration network",
    );
  }
  const { hasIpv4, hasIpv6, pools = [], labels = {}, options = {}, ipamDriver } = request;
  if (
    hasIpv4 === false ||
    hasIpv6 ||
    pools.length > 0 ||
    hasKeys(labels) ||
    (ipamDriver ?? "default") !== "default"
  ) {
    throw new EngineError(
      "forbidden",
      "user-specified configurations are not supported if the network depends on a configuration network",
    );
  }
  if (hasKeys(options)) {
    throw new EngineError(
      "forbidden",
      "network driver options are not supported if the network depends on a configuration network",
    );
  }
}

function settingsFrom({ configFrom }: NetworkRequest, existing: readonly NetworkInfo[]): Settings {
  if (!configFrom) return {};
  const source = existing.find((one) => one.isConfigOnly && one.name === configFrom);
  if (source === undefined) {
    throw new EngineError("not-found", `configuration network "${configFrom}" does not exist`);
  }
  const { hasIpv4, hasIpv6, pools, options, labels, ipamDriver } = source;
  return { hasIpv4, hasIpv6, pools, options, labels, ipamDriver };
}

/** The flags, or what the driver's options say in their place. */
function families({ hasIpv4, hasIpv6, options = {} }: Settings): { hasIpv4: boolean; hasIpv6: boolean } {
  return {
    hasIpv4: hasIpv4 ?? asBoolean("com.docker.network.enable_ipv4", options) ?? true,
    hasIpv6: hasIpv6 ?? asBoolean("com.docker.network.enable_ipv6", options) ?? false,
  };
}

function asBoolean(key: string, options: Readonly<Record<string, string>>): boolean | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new EngineError("invalid", `driver-opt ${JSON.stringify(key)} is not a valid bool`);
}

/** Of a network that is nothing but settings: looked at when another is made from it. */
function keptPool(pool: NonNullable<NetworkRequest["pools"]>[number]): NewNetwork["pools"] & object {
  const { subnet, gateway, range, auxiliary = {} } = pool;
  if (!subnet) return [];
  return [{ subnet, ...(gateway && { gateway }), ...(range && { range }), auxiliary }];
}

function checkIpamDriver(name: string): void {
  if (name === "default" || name === "null") return;
  throw new EngineError("not-found", `plugin ${JSON.stringify(name)} not found`, {
    hint: "addresses are given by the engine itself: leave out --ipam-driver",
  });
}

function hasKeys(record: Readonly<Record<string, string>>): boolean {
  return Object.keys(record).length > 0;
}
