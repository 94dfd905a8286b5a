import { join } from "node:path";
import { systemClock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import type { Emit } from "#base/event.ts";
import { applyRules, countRules, hasTable } from "#linux/firewall.ts";
import { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import { addElements, removeElements } from "#linux/netlink/set-elements.ts";
import { DEFAULT_POOLS } from "./address-pool.ts";
import type { Attachment } from "./attachment.ts";
import { Attachments } from "./attachments.ts";
import { BackgroundWork } from "./background-work.ts";
import { hostBinding } from "./bridge-settings.ts";
import { Connections } from "./connections.ts";
import { DamageWatch } from "./damage-watch.ts";
import { NameService } from "./dns/name-service.ts";
import { EndpointMaker } from "./endpoint-maker.ts";
import { checkEndpoint } from "./endpoint-rules.ts";
import { FirewallTable } from "./firewall-table.ts";
import { readHostResolvConf } from "./host-resolv-conf.ts";
import { takenSubnets, uplinkMtu } from "./host-view.ts";
import { Namespaces } from "./namespaces.ts";
import type { NetworkManagerOptions } from "./network-manager-options.ts";
import { isPredefined } from "./network-record.ts";
import type { NetworkInfo } from "./network-record.ts";
import { NetworkRecords } from "./network-records.ts";
import type { EndpointRequest, NetworkRequest } from "./network-request.ts";
import { NetworkSet } from "./network-set.ts";
import { surveyPorts } from "./ports/port-survey.ts";
import type { PortSurvey } from "./ports/port-survey.ts";
import { PublishedPorts } from "./published-ports.ts";
import { parseResolvConf } from "./resolv-conf.ts";
import { sandboxOf } from "./sandbox.ts";
import { servedContainers } from "./served-containers.ts";
import type { AttachRequest, Sandbox } from "./sandbox.ts";

const MEND_EVERY_MS = 10_000;

/**
 * The networks, and the containers and build steps in them: the only writer of our bridges, of our nftables table and of
 * `<run>/netns`. What it made is in the kernel and goes on without the engine (but for the proxies that carry IPv6 to
 * published ports); the next engine takes it over by `recover`.
 *
 * The parts: `NetworkSet` (records, and a `Driver` for each), `Connections` (who is in which), `PublishedPorts`,
 * `FirewallTable`. Read `docs/networking.md` first.
 */
export class NetworkManager {
  readonly #netlink: Rtnetlink;
  readonly #table: string;
  readonly #namespaces: Namespaces;
  readonly #networks: NetworkSet;
  readonly #attachments: Attachments;
  readonly #endpoints: EndpointMaker;
  readonly #connections: Connections;
  readonly #ports: PublishedPorts;
  readonly #names: NameService;
  readonly #firewall: FirewallTable;
  readonly #background: BackgroundWork;
  readonly #damage: DamageWatch;
  readonly #emit: Emit;

  private constructor(options: NetworkManagerOptions, netlink: Rtnetlink) {
    const { kernel, database, log, bridge = "darse0", clock = systemClock } = options;
    this.#netlink = netlink;
    this.#table = bridge;
    this.#emit = options.emit ?? (() => undefined);
    this.#background = new BackgroundWork(log);
    this.#namespaces = new Namespaces(kernel, join(options.runDirectory, "netns"));
    this.#attachments = new Attachments(database.documents("attachments"));
    const view = { links: netlink.links(), addresses: netlink.addresses(), routes: netlink.routes() };
    const records = openRecords(options, view, this.#attachments.size > 0);
    this.#endpoints = new EndpointMaker(records);
    this.#firewall = new FirewallTable({
      table: bridge,
      apply: applyRules,
      count: countRules,
      elements: { add: addElements, remove: removeElements },
    });
    const shared = { kernel, netlink, firewall: this.#firewall, background: this.#background, log };
    const attachments = this.#attachments;
    this.#networks = new NetworkSet({
      ...shared,
      records,
      bridge,
      uplinkMtu: uplinkMtu(view),
      networkPools: options.networkPools,
      clock,
      usersOf: (id) => [...attachments.inNetwork(id), ...this.#connections.arrivingIn(id)],
    });
    const hostBindingOf = (id: string) => hostBinding(this.#networks.get(id));
    const publications = () => this.#publications();
    this.#ports = new PublishedPorts({ ...shared, attachments, publications, hostBindingOf });
    this.#names = new NameService({
      ...shared,
      containers: () => servedContainers(attachments.all()),
      version: () => attachments.version,
      readHostResolvConf: () => readHostResolvConf(true),
    });
    this.#connections = new Connections({
      ...shared,
      names: this.#names,
      namespaces: this.#namespaces,
      networks: this.#networks,
      attachments,
      endpoints: this.#endpoints,
      ports: this.#ports,
      emit: this.#emit,
    });
    const everyMs = options.mendEveryMs ?? MEND_EVERY_MS;
    this.#damage = new DamageWatch({ table: bridge, log, everyMs, mend: () => this.#mend() });
  }

  /** Changes nothing in the kernel: a bridge is made for the first who needs it. @throws {EngineError} */
  static open(options: NetworkManagerOptions): NetworkManager {
    const netlink = Rtnetlink.open();
    try {
      return new NetworkManager(options, netlink);
    } catch (error) {
      netlink[Symbol.dispose]();
      throw error;
    }
  }

  list(): NetworkInfo[] {
    return this.#networks.list();
  }

  /** By name, id or unique start of an id. @throws {EngineError} not-found, invalid */
  get(nameOrId: string): NetworkInfo {
    return this.#networks.get(nameOrId);
  }

  /** Who is attached to the network now. */
  attachments(networkId: string): Attachment[] {
    return this.#attachments.inNetwork(networkId);
  }

  /** Looks at who can reach what, now. */
  async surveyPorts(): Promise<PortSurvey> {
    return await surveyPorts({
      attachments: this.#attachments.all().filter(({ isContainer }) => isContainer),
      bridgeOf: (id) => this.#networks.driverOf(id)?.rules?.name,
      ours: new Set([this.#table]),
    });
  }

  /** How many addresses of a network's subnet somebody has. */
  addressesInUse(networkId: string, subnet: string): number {
    return this.#endpoints.countIn(networkId, subnet);
  }

  /** Makes a network, in the kernel too; when it throws, nothing of it is left. @throws {EngineError} see `planNetwork` */
  async create(request: NetworkRequest): Promise<NetworkInfo> {
    await this.#damage.listen();
    const network = await this.#networks.create(request);
    this.#tell("create", network);
    return network;
  }

  /** @throws {EngineError} not-found, forbidden for one of every engine's or one with containers in it */
  async remove(nameOrId: string): Promise<NetworkInfo> {
    const network = await this.#networks.remove(nameOrId);
    if (!network.isConfigOnly) this.#tell("destroy", network);
    return network;
  }

  /** Removes the networks without containers that `isWanted` takes; gives their names. */
  async prune(isWanted: (network: NetworkInfo) => boolean): Promise<string[]> {
    const removed: string[] = [];
    for (const network of this.list()) {
      if (isPredefined(network.name) || network.isConfigOnly || !isWanted(network)) continue;
      try {
        await this.remove(network.id);
        removed.push(network.name);
      } catch (error) {
        // In use, or removed by somebody else meanwhile.
        if (!EngineError.is(error, "forbidden") && !EngineError.is(error, "not-found")) throw error;
      }
    }
    this.#emit({ type: "network", action: "prune", id: "", attributes: { reclaimed: "0" } });
    return removed;
  }

  /** Refuses what the network can not do for such an endpoint, and makes nothing. @throws {EngineError} not-found, invalid */
  check({ network, ...request }: EndpointRequest): NetworkInfo {
    const found = this.#networks.get(network);
    checkEndpoint(found, request);
    return found;
  }

  /**
   * Makes the namespace, its interfaces and its published ports; on failure nothing of it stays. One that is attached
   * already is detached first.
   *
   * @throws {EngineError} invalid, conflict, forbidden; unavailable when nft is missing; internal with Docker's text when a port is taken
   */
  async attach(request: AttachRequest, signal: AbortSignal): Promise<Sandbox> {
    if (!/^[\w-][\w.-]*$/.test(request.id)) {
      throw new EngineError("invalid", `Cannot attach ${JSON.stringify(request.id)}: it is not an id`);
    }
    if (request.mode === "bridge") await this.#damage.listen();
    return sandboxOf(await this.#connections.attach(request, signal));
  }

  /** Takes everything back that `attach` gave; success when there is nothing. The interface goes in the background. */
  async detach(id: string): Promise<void> {
    await this.#connections.detach(id);
  }

  /** Brings one that is attached into one more network. @throws {EngineError} as `attach`; forbidden when it is in it */
  async connect(id: string, request: EndpointRequest): Promise<Sandbox> {
    await this.#damage.listen();
    const formerResolvConf = this.#attachments.find(id)?.resolvConf;
    const sandbox = sandboxOf(await this.#connections.connect(id, request));
    return { ...sandbox, ...(formerResolvConf !== undefined && { formerResolvConf }) };
  }

  /** Takes one that is attached out of a network. @throws {EngineError} not-found, forbidden when it is not in it */
  async disconnect(id: string, nameOrId: string): Promise<Sandbox> {
    const { id: networkId } = this.#networks.get(nameOrId);
    return sandboxOf(await this.#connections.disconnect(id, networkId));
  }

  /** A container that may be attached is called something else now. */
  rename(id: string, name: string): void {
    this.#connections.rename(id, name);
  }

  /** Makes the default bridge and its rules now, so that the first container need not wait for them. */
  async prepare(): Promise<void> {
    await this.#networks.ensure([this.get("bridge").id]);
  }

  /** Compares the records with the world. `live`: the containers whose processes run. Called once, before `attach`. */
  async recover(live: ReadonlySet<string>): Promise<void> {
    for (const attachment of this.#attachments.all()) {
      if (live.has(attachment.id)) await this.#connections.adopt(attachment);
      else await this.#connections.detach(attachment.id);
    }
    this.#namespaces.removeOthers((id) => this.#attachments.find(id) !== undefined);
    this.#removeInterfaces();
    await this.#networks.removeStrays();
    await this.#damage.listen();
    const standing = this.#networks.standing();
    if (!this.#endpoints.isInUse && standing.length === 0) return;
    await this.#networks.ensure(standing.map(({ id }) => id));
    await this.#firewall.publish(this.#publications());
  }

  /** When nobody is attached: removes bridges and table, so that nothing of ours is left on the host. */
  async teardownIfIdle(): Promise<void> {
    await this.#background.settled();
    if (this.#attachments.size > 0) return;
    await this.#networks.removeFromKernel();
    if (hasTable(this.#table)) await this.#firewall.remove();
  }

  /** Lets go of what the engine holds; containers keep their network, and their ports on IPv4. */
  async close(): Promise<void> {
    this.#damage[Symbol.dispose]();
    this.#names.closeAll();
    await this.#background.settled();
    await this.#ports.close();
    this.#netlink[Symbol.dispose]();
  }

  /** Those of the dead. */
  #removeInterfaces(): void {
    const all = this.#attachments.all();
    const known = new Set(all.flatMap(({ endpoints }) => endpoints.map((one) => one.hostInterface)));
    for (const { id } of this.#networks.standing()) {
      for (const name of this.#networks.driverOf(id)?.hostInterfaces() ?? []) {
        if (known.has(name)) continue;
        this.#background.add(`remove interface ${name}`, Rtnetlink.deleteLinkInBackground(name));
      }
    }
  }

  #mend(): void {
    if (!this.#endpoints.isInUse) return;
    const used = new Set(
      this.#attachments.all().flatMap(({ endpoints }) => endpoints.map(({ networkId }) => networkId)),
    );
    this.#background.add("mend the network", this.#networks.ensure([...used]));
  }

  #publications(): ReturnType<Attachments["publications"]> {
    return this.#attachments.publications((id, family) => this.#networks.isDirect(id, family));
  }

  #tell(action: "create" | "destroy", { id, name, driver }: NetworkInfo): void {
    this.#emit({ type: "network", action, id, attributes: { name, type: driver } });
  }
}

function openRecords(
  { database, bridge: name = "darse0", pools = DEFAULT_POOLS, clock = systemClock }: NetworkManagerOptions,
  view: Parameters<typeof uplinkMtu>[0],
  isBusy: boolean,
): NetworkRecords {
  const taken = takenSubnets(view, new Set([name]), parseResolvConf(readHostResolvConf()).servers);
  const choice = { name, mtu: uplinkMtu(view), pools, taken, isBusy };
  return new NetworkRecords(database.documents("networks"), choice, clock);
}
