import { EngineError } from "#base/errors.ts";
import type { Emit } from "#base/event.ts";
import { shortId } from "#base/ids.ts";
import { KeyedLock } from "#base/lock.ts";
import type { Attachment, Endpoint } from "./attachment.ts";
import type { Attachments } from "./attachments.ts";
import type { BackgroundWork } from "./background-work.ts";
import type { Driver, NetworkKernel } from "./driver.ts";
import type { EndpointMaker } from "./endpoint-maker.ts";
import { chooseGateways } from "./gateway-choice.ts";
import type { NameService } from "./dns/name-service.ts";
import { readHostResolvConf } from "./host-resolv-conf.ts";
import type { Namespaces } from "./namespaces.ts";
import type { EndpointRequest } from "./network-request.ts";
import type { NetworkSet } from "./network-set.ts";
import type { PublishedPorts } from "./published-ports.ts";
import { renderResolvConf } from "./resolv-conf.ts";
import type { AttachRequest } from "./sandbox.ts";
import { isServed } from "./served-containers.ts";
import { plug, reroute, unplug } from "./wiring.ts";

export interface ConnectionsOptions {
  readonly kernel: NetworkKernel;
  readonly namespaces: Namespaces;
  readonly networks: NetworkSet;
  readonly attachments: Attachments;
  readonly endpoints: EndpointMaker;
  readonly ports: PublishedPorts;
  readonly background: BackgroundWork;
  readonly names: NameService;
  readonly emit: Emit;
}

/** Somebody on the way into networks: those must stay. */
export type Arrival = Pick<Attachment, "id" | "name" | "endpoints">;

const DEFAULT: readonly EndpointRequest[] = [{ network: "bridge" }];

/** Containers and build steps in their networks: each has one writer at a time, by the lock of its id. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #locks = new KeyedLock();
  readonly #arriving = new Set<Arrival>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Those on the way into a network. */
  arrivingIn(networkId: string): Arrival[] {
    return [...this.#arriving].filter(({ endpoints }) =>
      endpoints.some((one) => one.networkId === networkId),
    );
  }

  /** See `NetworkManager.attach`. */
  async attach(request: AttachRequest, signal: AbortSignal): Promise<Attachment> {
    using _turn = await this.#locks.acquire(request.id);
    signal.throwIfAborted();
    await this.#release(request.id);
    const attachment = await this.#attach(request);
    for (const endpoint of attachment.endpoints) this.#tell("connect", attachment, endpoint);
    return attachment;
  }

  /** See `NetworkManager.detach`. */
  async detach(id: string): Promise<void> {
    using _turn = await this.#locks.acquire(id);
    await this.#release(id);
  }

  /** See `NetworkManager.connect`. */
  async connect(id: string, request: EndpointRequest): Promise<Attachment> {
    using _turn = await this.#locks.acquire(id);
    const before = this.#running(id);
    const record = this.#options.networks.get(request.network);
    const other = before.endpoints.find(({ networkId }) => networkId === record.id);
    if (other !== undefined) {
      const message = `endpoint with name ${before.name} already exists in network ${record.name}`;
      throw new EngineError("forbidden", message);
    }
    await using undo = new AsyncDisposableStack();
    const [endpoint] = this.#reserve([request], before, undo);
    if (endpoint === undefined) throw new Error("one request makes one endpoint");
    using _arrival = this.#arrive({ ...before, endpoints: [endpoint] });
    await this.#options.networks.ensure([endpoint.networkId]);
    this.#plugIn(before, endpoint, undo);
    const after = this.#named({ ...before, endpoints: [...before.endpoints, endpoint] });
    this.#options.attachments.put(after);
    await this.#options.ports.moved(after, before);
    undo.move();
    this.#tell("connect", after, endpoint);
    return after;
  }

  /** See `NetworkManager.disconnect`. */
  async disconnect(id: string, networkId: string): Promise<Attachment> {
    using _turn = await this.#locks.acquire(id);
    const before = this.#running(id);
    const endpoint = before.endpoints.find((one) => one.networkId === networkId);
    if (endpoint === undefined) {
      const { name } = this.#options.networks.get(networkId);
      throw new EngineError("forbidden", `container ${id} is not connected to network ${name}`, {
        hint: `darse network inspect ${name}`,
      });
    }
    const after = { ...before, endpoints: before.endpoints.filter((one) => one !== endpoint) };
    this.#options.attachments.put(after);
    try {
      await this.#pullOut(after, endpoint, chooseGateways(before.endpoints));
    } finally {
      this.#giveBack([endpoint]);
    }
    await this.#options.ports.moved(after, before);
    this.#tell("disconnect", after, endpoint);
    return after;
  }

  /** A container is called something else now. */
  rename(id: string, name: string): void {
    const attachment = this.#options.attachments.find(id);
    if (attachment === undefined) return;
    const endpoints = attachment.endpoints.map((endpoint) =>
      endpoint.names === undefined ? endpoint : { ...endpoint, names: [name, ...endpoint.names.slice(1)] },
    );
    this.#options.attachments.put({ ...attachment, name, endpoints });
  }

  /** Takes over what an engine that is gone has made. */
  async adopt(attachment: Attachment): Promise<void> {
    for (const endpoint of attachment.endpoints) this.#options.endpoints.adopt(endpoint, attachment.name);
    this.#options.networks.admit(attachment.endpoints);
    await this.#options.ports.adopt(attachment);
    const { id, namespacePath, namePorts } = attachment;
    if (namespacePath === undefined || namePorts === undefined) return;
    const ports = this.#options.names.resume(id, namespacePath, namePorts);
    if (ports.udp === namePorts.udp && ports.tcp === namePorts.tcp) return;
    this.#options.attachments.put({ ...attachment, namePorts: ports });
  }

  async #attach(request: AttachRequest): Promise<Attachment> {
    const { id, mode, name, dns } = request;
    const { endpoints, namespaces } = this.#options;
    const facts = { id, name: name ?? shortId(id), isContainer: name !== undefined };
    const isHost = mode === "host";
    const resolvConf = renderResolvConf(readHostResolvConf(isHost), { isHost, ...(dns && { dns }) });
    const base = { ...facts, isShared: false, ports: [], resolvConf, ...(dns && { dns }) };
    if (mode === "bridge") return await this.#attachToNetworks(request, base);
    if (mode === "host") return this.#saved({ ...base, endpoints: [endpoints.bare("host")] });
    if (mode === "none") {
      const namespacePath = namespaces.create(id);
      return this.#saved({ ...base, namespacePath, endpoints: [endpoints.bare("none")] });
    }
    const owner = this.#running(mode.slice("container:".length));
    const { namespacePath, resolvConf: ownersFile = resolvConf } = owner;
    const shared = { resolvConf: ownersFile, ...(namespacePath !== undefined && { namespacePath }) };
    return this.#saved({ ...base, ...shared, isShared: true, endpoints: [] });
  }

  async #attachToNetworks(
    { id, networks: wanted = DEFAULT, ports: requests }: AttachRequest,
    base: Omit<Attachment, "endpoints" | "namespacePath">,
  ): Promise<Attachment> {
    const { kernel, namespaces, networks, attachments, ports, names } = this.#options;
    await using undo = new AsyncDisposableStack();
    const endpoints = this.#reserve(wanted, { ...base, endpoints: [] }, undo);
    using _arrival = this.#arrive({ ...base, endpoints });
    await networks.ensure(endpoints.map(({ networkId }) => networkId));
    const held = undo.use(await ports.hold(requests, { name: base.name, endpoints }));
    const namespacePath = namespaces.create(id);
    undo.defer(() => namespaces.remove(namespacePath));
    for (const endpoint of endpoints) undo.defer(() => this.#disconnect(endpoint));
    const gateways = chooseGateways(endpoints);
    const hasPorts = held.bindings.length > 0;
    const driverOf = (endpoint: Endpoint): Driver => this.#driverOf(endpoint);
    plug({ kernel, namespacePath }, { endpoints, gateways, hasPorts, driverOf });
    undo.defer(() => names.close(id));
    const attachment = this.#saved(this.#named({ ...base, namespacePath, endpoints, ports: held.bindings }));
    undo.defer(() => attachments.remove(id));
    await ports.publish(id, held);
    undo.move();
    return attachment;
  }

  /** Has it answered about names, when it is in a network where they mean something; once so, always so. */
  #named(attachment: Attachment): Attachment {
    const { id, namespacePath, endpoints, dns } = attachment;
    if (namespacePath === undefined || !isServed(endpoints)) return attachment;
    const namePorts = this.#options.names.open(id, namespacePath);
    const options = { hasNameService: true, ...(dns && { dns }) };
    return { ...attachment, namePorts, resolvConf: renderResolvConf(readHostResolvConf(), options) };
  }

  /** Its networks stay until this is disposed. */
  #arrive(arrival: Arrival): Disposable {
    this.#arriving.add(arrival);
    return { [Symbol.dispose]: () => void this.#arriving.delete(arrival) };
  }

  /** Addresses for all; given back by `undo`. */
  #reserve(requests: readonly EndpointRequest[], arrival: Arrival, undo: AsyncDisposableStack): Endpoint[] {
    const { networks, endpoints } = this.#options;
    const made: Endpoint[] = [];
    undo.defer(() => this.#giveBack(made));
    for (const { network, ...request } of requests) {
      const others = [...arrival.endpoints, ...made];
      made.push(endpoints.make(networks.get(network), request, { holder: arrival.name, others }));
    }
    networks.admit(made);
    return made;
  }

  /** The addresses may be given out again. */
  #giveBack(endpoints: readonly Endpoint[]): void {
    this.#options.networks.dismiss(endpoints);
    for (const endpoint of endpoints) this.#options.endpoints.release(endpoint);
  }

  #plugIn(before: Attachment, endpoint: Endpoint, undo: AsyncDisposableStack): void {
    const { kernel } = this.#options;
    const { namespacePath = "", endpoints, ports } = before;
    const wiring = { kernel, namespacePath };
    const gateways = chooseGateways([...endpoints, endpoint]);
    const change = { before: chooseGateways(endpoints), after: gateways };
    reroute(wiring, endpoints, change);
    undo.defer(() => reroute(wiring, endpoints, { before: gateways, after: change.before }));
    undo.defer(() => this.#driverOf(endpoint).disconnect(endpoint));
    const driverOf = (one: Endpoint): Driver => this.#driverOf(one);
    plug(wiring, { endpoints: [endpoint], gateways, hasPorts: ports.length > 0, driverOf });
    undo.defer(() => this.#options.attachments.put(before));
  }

  async #pullOut(
    after: Attachment,
    endpoint: Endpoint,
    before: ReturnType<typeof chooseGateways>,
  ): Promise<void> {
    const { kernel } = this.#options;
    const wiring = { kernel, namespacePath: after.namespacePath ?? "" };
    // Both ends of a pair go with the one that is on the host; the rest is inside alone.
    if (endpoint.hostInterface === undefined) unplug(wiring, endpoint);
    else await this.#driverOf(endpoint).disconnect(endpoint);
    reroute(wiring, after.endpoints, { before, after: chooseGateways(after.endpoints) });
  }

  /** The record goes first: whatever a crash leaves after that has no record, and `recover` removes it. */
  async #release(id: string): Promise<void> {
    const attachment = this.#options.attachments.find(id);
    if (!attachment) return;
    try {
      this.#options.attachments.remove(id);
    } finally {
      // what the kernel holds goes, even when the disk is too full to note it
      await this.#takeBack(attachment);
    }
    for (const endpoint of attachment.endpoints) this.#tell("disconnect", attachment, endpoint);
  }

  async #takeBack(attachment: Attachment): Promise<void> {
    const { namespaces, ports, background, names } = this.#options;
    names.close(attachment.id);
    await ports.release(attachment);
    const { namespacePath, isShared } = attachment;
    if (namespacePath !== undefined && !isShared) namespaces.remove(namespacePath);
    for (const endpoint of attachment.endpoints) {
      // Not before the interface that had them is gone.
      const work = this.#disconnect(endpoint).finally(() => this.#giveBack([endpoint]));
      background.add(`remove interface ${endpoint.hostInterface}`, work);
    }
  }

  /** Of `host` and `none`, and of a network that is gone, there is nothing to take away. */
  async #disconnect(endpoint: Endpoint): Promise<void> {
    const { networkId, hostInterface } = endpoint;
    if (hostInterface !== undefined) await this.#options.networks.driverOf(networkId)?.disconnect(endpoint);
  }

  #driverOf({ networkId, networkName }: Endpoint): Driver {
    const driver = this.#options.networks.driverOf(networkId);
    if (driver) return driver;
    throw new EngineError("invalid", `Cannot join network ${networkName}: it has no interfaces`);
  }

  /** @throws {EngineError} conflict */
  #running(id: string): Attachment {
    const found = this.#options.attachments.find(id);
    if (found) return found;
    const message = `cannot join network namespace of a non running container: ${id}`;
    throw new EngineError("conflict", message, { hint: `darse start ${shortId(id)}` });
  }

  #saved(attachment: Attachment): Attachment {
    this.#options.attachments.put(attachment);
    return attachment;
  }

  #tell(action: "connect" | "disconnect", { id, isContainer }: Attachment, endpoint: Endpoint): void {
    if (!isContainer) return;
    const { networkId, networkName: name } = endpoint;
    const type = this.#options.networks.list().find(({ id: one }) => one === networkId)?.driver ?? "bridge";
    this.#options.emit({ type: "network", action, id: networkId, attributes: { container: id, name, type } });
  }
}
