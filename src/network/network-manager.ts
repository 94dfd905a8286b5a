import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "#base/clock.ts";
import { EngineError, isErrno } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import { KeyedLock } from "#base/lock.ts";
import type { Logger } from "#base/log.ts";
import { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import { DEFAULT_POOLS } from "./address-pool.ts";
import type { Attachment } from "./attachment.ts";
import { Attachments } from "./attachments.ts";
import { BridgeDriver } from "./bridge-driver.ts";
import type { NetworkKernel } from "./bridge-driver.ts";
import { BackgroundWork } from "./background-work.ts";
import { DamageWatch } from "./damage-watch.ts";
import type { Driver } from "./driver.ts";
import { EndpointMaker } from "./endpoint-maker.ts";
import { readHostResolvConf } from "./host-resolv-conf.ts";
import { takenSubnets, uplinkMtu } from "./host-view.ts";
import type { NetworkManagerOptions } from "./network-manager-options.ts";
import type { NetworkInfo } from "./network-record.ts";
import { NetworkRecords } from "./network-records.ts";
import { holdBinding, holdPorts } from "./port-publisher.ts";
import type { HeldPorts, PortBinding, PublishContext } from "./port-publisher.ts";
import { parseResolvConf } from "./resolv-conf.ts";
import { sandboxOf } from "./sandbox.ts";
import type { AttachRequest, Sandbox } from "./sandbox.ts";

const MEND_EVERY_MS = 10_000;

/**
 * Gives containers and build steps their network namespace, and takes it away: the only writer of our bridge, of our
 * nftables table and of `<run>/netns`. What it made is in the kernel and goes on without the engine (but for the proxies
 * that carry IPv6 to published ports); the next engine takes it over by `recover`.
 *
 * Read `docs/network.md` first.
 */
export class NetworkManager {
  readonly #kernel: NetworkKernel;
  readonly #log: Logger;
  readonly #namespaces: string;
  readonly #records: NetworkRecords;
  readonly #attachments: Attachments;
  readonly #endpoints: EndpointMaker;
  readonly #bridge: Driver;
  readonly #locks = new KeyedLock();
  readonly #held = new Map<string, HeldPorts>();
  readonly #background: BackgroundWork;
  readonly #damage: DamageWatch;

  private constructor(options: NetworkManagerOptions, netlink: Rtnetlink) {
    const { kernel, database, log, bridge: name = "darse0", pools = DEFAULT_POOLS } = options;
    this.#kernel = kernel;
    this.#log = log;
    this.#background = new BackgroundWork(log);
    this.#namespaces = join(options.runDirectory, "netns");
    mkdirSync(this.#namespaces, { recursive: true, mode: 0o700 });
    this.#attachments = new Attachments(database.documents("attachments"));
    const view = { links: netlink.links(), addresses: netlink.addresses(), routes: netlink.routes() };
    const taken = takenSubnets(view, name, parseResolvConf(readHostResolvConf()).servers);
    const choice = { name, mtu: uplinkMtu(view), pools, taken, isBusy: this.#attachments.size > 0 };
    this.#records = new NetworkRecords(database.documents("networks"), choice, options.clock ?? systemClock);
    this.#endpoints = new EndpointMaker(this.#records);
    this.#bridge = new BridgeDriver(kernel, netlink, this.#records.bridge);
    this.#damage = new DamageWatch({
      table: name,
      log,
      everyMs: options.mendEveryMs ?? MEND_EVERY_MS,
      mend: () => this.#mend(),
    });
  }

  /** Changes nothing in the kernel: the bridge is made for the first who needs it. @throws {EngineError} */
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
    return this.#records.list();
  }

  /** By name, id or unique start of an id. @throws {EngineError} not-found */
  get(nameOrId: string): NetworkInfo {
    return this.#records.get(nameOrId);
  }

  /** Who is attached to the network now. */
  attachments(networkId: string): Attachment[] {
    return this.#attachments
      .all()
      .filter(({ endpoints }) => endpoints.some((one) => one.networkId === networkId));
  }

  /**
   * Makes the namespace, its interface and its published ports; on failure nothing of it stays. One that is attached
   * already is detached first.
   *
   * @throws {EngineError} invalid, conflict; unavailable when nft is missing; internal with Docker's text when a port is taken
   */
  async attach(request: AttachRequest, signal: AbortSignal): Promise<Sandbox> {
    if (!/^[\w-][\w.-]*$/.test(request.id)) {
      throw new EngineError("invalid", `Cannot attach ${JSON.stringify(request.id)}: it is not an id`);
    }
    using _held = await this.#locks.acquire(request.id);
    signal.throwIfAborted();
    await this.#release(request.id);
    const attachment = await this.#attach(request);
    return sandboxOf(attachment, request);
  }

  /** Takes everything back that `attach` gave; success when there is nothing. The interface goes in the background. */
  async detach(id: string): Promise<void> {
    using _held = await this.#locks.acquire(id);
    await this.#release(id);
  }

  /** Makes the default bridge and its rules now, so that the first container need not wait for them. */
  async prepare(): Promise<void> {
    await this.#bridge.ensure();
  }

  /** Compares the records with the world. `live`: the containers whose processes run. Called once, before `attach`. */
  async recover(live: ReadonlySet<string>): Promise<void> {
    for (const attachment of this.#attachments.all()) {
      if (live.has(attachment.id)) await this.#adopt(attachment);
      else await this.#release(attachment.id);
    }
    for (const id of readdirSync(this.#namespaces)) {
      if (!this.#attachments.find(id)) this.#kernel.removeNetworkNamespace(join(this.#namespaces, id));
    }
    const known = new Set(
      this.#attachments.all().flatMap(({ endpoints }) => endpoints.map((one) => one.hostInterface)),
    );
    for (const name of this.#bridge.hostInterfaces()) {
      if (!known.has(name))
        this.#background.add(`remove interface ${name}`, Rtnetlink.deleteLinkInBackground(name));
    }
    await this.#damage.listen();
    if (this.#endpoints.isInUse || this.#bridge.exists()) {
      await this.#bridge.publish(this.#attachments.publications());
      await this.#bridge.ensure();
    }
  }

  /** When nobody is attached: removes bridge and table, so that nothing of ours is left on the host. */
  async teardownIfIdle(): Promise<void> {
    await this.#background.settled();
    if (this.#attachments.size === 0) await this.#bridge.remove();
  }

  /** Lets go of what the engine holds; containers keep their network, and their ports on IPv4. */
  async close(): Promise<void> {
    this.#damage[Symbol.dispose]();
    await this.#background.settled();
    for (const held of this.#held.values()) await held[Symbol.asyncDispose]();
    this.#held.clear();
    this.#bridge.close();
  }

  async #attach(request: AttachRequest): Promise<Attachment> {
    const { id, mode } = request;
    const base = { id, name: request.name ?? shortId(id), isShared: false, ports: [] };
    if (mode === "bridge") return await this.#attachToBridge(request, base);
    if (mode === "host") return this.#saved({ ...base, endpoints: [this.#endpoints.bare("host")] });
    if (mode === "none") {
      const namespacePath = this.#createNamespace(id);
      return this.#saved({ ...base, namespacePath, endpoints: [this.#endpoints.bare("none")] });
    }
    const target = mode.slice("container:".length);
    const owner = this.#attachments.find(target);
    if (!owner) {
      const message = `cannot join network namespace of a non running container: ${target}`;
      throw new EngineError("conflict", message, { hint: `darse start ${shortId(target)}` });
    }
    const shared = owner.namespacePath === undefined ? {} : { namespacePath: owner.namespacePath };
    return this.#saved({ ...base, ...shared, isShared: true, endpoints: [] });
  }

  async #attachToBridge(
    request: AttachRequest,
    base: Pick<Attachment, "id" | "name" | "isShared">,
  ): Promise<Attachment> {
    await using undo = new AsyncDisposableStack();
    await this.#damage.listen();
    await this.#bridge.ensure();
    const endpoint = this.#endpoints.onBridge(request.mac);
    undo.defer(() => this.#endpoints.release(endpoint));
    const held = undo.use(await holdPorts(request.ports, this.#publishContext(base.name, endpoint)));
    const namespacePath = this.#createNamespace(request.id);
    undo.defer(() => this.#kernel.removeNetworkNamespace(namespacePath));
    undo.defer(() => this.#bridge.disconnect(endpoint));
    const hasPorts = held.bindings.length > 0;
    this.#bridge.connect(endpoint, { namespacePath, hasPorts });
    const attachment = { ...base, namespacePath, endpoints: [endpoint], ports: held.bindings };
    this.#saved(attachment);
    undo.defer(() => this.#attachments.remove(request.id));
    if (hasPorts) {
      await this.#bridge.publish(this.#attachments.publications());
      this.#held.set(request.id, held);
      this.#redirectSenders(held.bindings);
    }
    undo.move();
    return attachment;
  }

  #createNamespace(id: string): string {
    const path = join(this.#namespaces, id);
    try {
      this.#kernel.createNetworkNamespace(path);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      // Left by an attach that a crash cut short.
      this.#kernel.removeNetworkNamespace(path);
      this.#kernel.createNetworkNamespace(path);
    }
    return path;
  }

  #saved(attachment: Attachment): Attachment {
    this.#attachments.put(attachment);
    return attachment;
  }

  /** The record goes first: whatever a crash leaves after that has no record, and `recover` removes it. */
  async #release(id: string): Promise<void> {
    const attachment = this.#attachments.find(id);
    if (!attachment) return;
    try {
      this.#attachments.remove(id);
    } finally {
      // what the kernel holds goes, even when the disk is too full to note it
      await this.#takeBack(attachment);
    }
  }

  async #takeBack(attachment: Attachment): Promise<void> {
    const { id } = attachment;
    if (attachment.ports.length > 0) this.#unpublish(attachment.ports);
    await this.#held.get(id)?.[Symbol.asyncDispose]();
    this.#held.delete(id);
    if (attachment.namespacePath !== undefined && !attachment.isShared) {
      this.#kernel.removeNetworkNamespace(attachment.namespacePath);
    }
    for (const endpoint of attachment.endpoints) this.#disconnect(endpoint);
  }

  #mend(): void {
    if (this.#endpoints.isInUse) this.#background.add("mend the network", this.#bridge.ensure());
  }

  /** Rules that go make the kernel wait; whoever publishes next comes after, as the table has one writer. */
  #unpublish(bindings: readonly PortBinding[]): void {
    if (!this.#bridge.exists()) return;
    const work = this.#bridge.publish(this.#attachments.publications());
    this.#background.add(
      "take published ports out of the firewall",
      work.then(() => this.#redirectSenders(bindings)),
    );
  }

  #redirectSenders(bindings: readonly PortBinding[]): void {
    const ports = bindings.filter((one) => one.protocol === "udp");
    if (ports.length === 0) return;
    const work = this.#bridge.redirectSenders(ports.map((one) => one.hostPort));
    this.#background.add("redirect senders of datagrams", work);
  }

  /** The address may be given out again when the interface that had it is gone. */
  #disconnect(endpoint: Attachment["endpoints"][number]): void {
    this.#background.add(
      `remove interface ${endpoint.hostInterface}`,
      this.#bridge.disconnect(endpoint).finally(() => this.#endpoints.release(endpoint)),
    );
  }

  /** Takes over from an engine that is gone: address, and what stood in its memory for the ports. */
  async #adopt(attachment: Attachment): Promise<void> {
    const { id, name, endpoints, ports } = attachment;
    const stack = new AsyncDisposableStack();
    for (const endpoint of endpoints) {
      if (endpoint.ipv4 === undefined) continue;
      this.#endpoints.adopt(endpoint);
      const context = { ...this.#publishContext(name, endpoint), holderOf: () => undefined };
      for (const binding of ports) {
        try {
          stack.use(await holdBinding(binding, context));
        } catch (error) {
          this.#log.warn("Cannot take over a published port", { container: id, binding, error });
        }
      }
    }
    this.#held.set(id, { bindings: ports, [Symbol.asyncDispose]: () => stack.disposeAsync() });
  }

  #publishContext(name: string, { endpointId, ipv4, ipv6 }: Attachment["endpoints"][number]): PublishContext {
    return {
      ...(ipv4 !== undefined && { ipv4 }),
      ...(ipv6 !== undefined && { ipv6 }),
      subject: `endpoint ${name} (${endpointId})`,
      holderOf: (binding) => this.#attachments.holderOf(binding)?.name,
    };
  }
}
