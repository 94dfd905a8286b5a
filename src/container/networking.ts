import { readFileSync, writeFileSync } from "node:fs";
import { EngineError, isErrno } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import { type ContainerPaths, containerPaths } from "./folders.ts";
import type { EndpointConfig } from "./host-config.ts";
import { moveHosts } from "./hosts-file.ts";
import { hostnameOf } from "./etc-files.ts";
import { readHostNames } from "./facts.ts";
import type { Sandbox } from "./neighbours.ts";
import { checkAliases, checkCanJoin, endpointRequest } from "./network-request.ts";
import { networkState } from "./network-state.ts";
import type { ContainerRecord } from "./record.ts";
import { isAlive } from "./state.ts";
import type { World } from "./world.ts";

/**
 * Brings a container into a network: at once when it runs, otherwise when it starts. Joining again one that a stopped
 * container is in changes nothing.
 *
 * @throws {EngineError} not-found, invalid for what the network can not do, forbidden when a running one is in it
 */
export async function connectNetwork(
  world: World,
  reference: string,
  { network, endpoint }: { readonly network: string; readonly endpoint: EndpointConfig },
): Promise<void> {
  const { id } = world.registry.get(reference);
  using _turn = await world.lock.acquire(id);
  const record = stable(world, id, reference);
  const { name, id: networkId } = world.network.check({ network });
  checkCanJoin(record, name);
  checkAliases(name, endpoint);
  const isMember = record.endpoints.has(name);
  const endpoints = new Map([...record.endpoints, [name, { ...endpoint, networkId }] as const]);
  const request = endpointRequest({ ...record, endpoints }, name, world.registry);
  world.network.check(request);
  if (!isAlive(record.state)) {
    if (!isMember) world.registry.update(id, () => ({ endpoints }));
    return;
  }
  const sandbox = await world.network.connect(id, request);
  world.registry.update(id, () => ({ endpoints, network: networkState(sandbox) }));
  rewriteFiles(world, record, sandbox);
}

/**
 * Takes a container out of a network, at once when it runs.
 *
 * @param options force: also from a network that is gone
 * @throws {EngineError} not-found, forbidden when it is not in it
 */
export async function disconnectNetwork(
  world: World,
  reference: string,
  { network, force }: { readonly network: string; readonly force: boolean },
): Promise<void> {
  const { id } = world.registry.get(reference);
  using _turn = await world.lock.acquire(id);
  const record = stable(world, id, reference);
  const name = force ? nameOf(world, network) : world.network.check({ network }).name;
  if (record.hostConfig.networkMode === "host" && name === "host") {
    throw new EngineError(
      "invalid",
      "cannot disconnect container from host network - container was created in host network mode",
    );
  }
  if (!record.endpoints.has(name)) {
    throw new EngineError("forbidden", `container ${id} is not connected to the network ${name}`, {
      hint: `darse network inspect ${name}`,
    });
  }
  const endpoints = new Map([...record.endpoints].filter(([key]) => key !== name));
  const isAttached = record.network.endpoints.some(({ networkName }) => networkName === name);
  if (!isAlive(record.state) || !isAttached) {
    world.registry.update(id, () => ({ endpoints }));
    return;
  }
  const sandbox = await world.network.disconnect(id, name);
  world.registry.update(id, () => ({ endpoints, network: networkState(sandbox) }));
  rewriteFiles(world, record, sandbox);
}

/** A network that is gone is known by the name the container has it under. */
function nameOf(world: World, network: string): string {
  try {
    return world.network.check({ network }).name;
  } catch (error) {
    if (EngineError.is(error, "not-found")) return network;
    throw error;
  }
}

function stable(world: World, id: ContainerId, reference: string): ContainerRecord {
  const record = world.registry.get(world.registry.byId(id) ? id : reference);
  const { status } = record.state;
  if (status !== "removing" && status !== "dead") return record;
  throw new EngineError(
    "conflict",
    `Container ${id} is marked for removal and cannot be connected or disconnected to the network`,
  );
}

/**
 * The container's own addresses in `/etc/hosts`: the lines of those that went are taken out, of those that came added,
 * and what somebody else wrote stays. Likewise `/etc/resolv.conf`. The files keep their inodes, as they are mounted.
 */
function rewriteFiles(world: World, record: ContainerRecord, sandbox: Sandbox): void {
  const paths: ContainerPaths = containerPaths(world.folders, record.id);
  const addresses = (endpoints: ContainerRecord["network"]["endpoints"]): string[] =>
    endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter((one) => one !== undefined);
  const before = addresses(record.network.endpoints);
  const after = addresses(networkState(sandbox).endpoints);
  const hostname = hostnameOf(record, readHostNames());
  rewrite(paths.hosts, (text) =>
    moveHosts(text, { before, after, hostname, domainname: record.config.domainname }),
  );
  const { resolvConf, formerResolvConf } = sandbox;
  // The first network with a name service brings another server; a file that somebody has changed is theirs.
  rewrite(paths.resolvConf, (text) => (text === formerResolvConf ? resolvConf : text));
}

function rewrite(path: string, change: (text: string) => string): void {
  try {
    const text = readFileSync(path, "utf8");
    const changed = change(text);
    if (changed !== text) writeFileSync(path, changed);
  } catch (error) {
    // A container with a file of its own has none of ours.
    if (!isErrno(error, "ENOENT")) throw error;
  }
}
