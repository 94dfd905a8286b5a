import { setImmediate } from "node:timers/promises";
import type { Logger } from "#base/log.ts";
import { forgetDatagramFlows } from "#linux/netlink/conntrack.ts";
import type { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import type { Attachment } from "./attachment.ts";
import { publishedEndpoints } from "./attachments.ts";
import type { Attachments } from "./attachments.ts";
import type { BackgroundWork } from "./background-work.ts";
import type { FirewallTable } from "./firewall-table.ts";
import { holdBinding, holdPorts } from "./port-publisher.ts";
import type { HeldPorts, PortBinding, PortRequest, PublishContext } from "./port-publisher.ts";
import type { Publication } from "./publish-rules.ts";

export interface PublishedPortsOptions {
  readonly attachments: Attachments;
  readonly firewall: FirewallTable;
  /** Of the host. */
  readonly netlink: Pick<Rtnetlink, "addresses">;
  readonly background: BackgroundWork;
  readonly log: Logger;
  /** What the firewall is to publish now. */
  readonly publications: () => readonly Publication[];
  /** The host's address for ports of a network that name none; every address when absent. */
  readonly hostBindingOf: (networkId: string) => string | undefined;
}

type Publisher = Pick<Attachment, "name" | "endpoints">;

/** Ports of the host that lead to containers: what holds them, and the rules. */
export class PublishedPorts {
  readonly #options: PublishedPortsOptions;
  readonly #held = new Map<string, HeldPorts>();

  constructor(options: PublishedPortsOptions) {
    this.#options = options;
  }

  /** Finds a port of the host for each; none where no network of the container leads out. @throws {EngineError} */
  async hold(requests: readonly PortRequest[], publisher: Publisher): Promise<HeldPorts> {
    const context = this.#context(publisher);
    const isReachable = context.ipv4 !== undefined || context.ipv6 !== undefined;
    const { ipv4 } = publishedEndpoints(publisher.endpoints);
    const hostIp = ipv4 && this.#options.hostBindingOf(ipv4.networkId);
    const placed = requests.map((one) => (one.hostIp || !hostIp ? one : { ...one, hostIp }));
    return await holdPorts(isReachable ? placed : [], context);
  }

  /** The rules of an attachment that was saved with its ports come into force. */
  async publish(id: string, held: HeldPorts): Promise<void> {
    if (held.bindings.length === 0) return;
    await this.#options.firewall.publish(this.#options.publications());
    this.#held.set(id, held);
    this.#redirectSenders(held.bindings);
  }

  /** The addresses behind the ports of an attachment, which was saved, have changed. */
  async moved(attachment: Attachment, before: Publisher): Promise<void> {
    if (attachment.ports.length === 0) return;
    const now = this.#context(attachment);
    const then = this.#context(before);
    if (now.ipv4 === then.ipv4 && now.ipv6 === then.ipv6) return;
    await this.#letGo(attachment.id);
    await this.#adopt(attachment);
    await this.#options.firewall.publish(this.#options.publications());
    this.#redirectSenders(attachment.ports);
  }

  /** The ports of an attachment that is no longer among those published are free. */
  async release({ id, ports }: Attachment): Promise<void> {
    if (ports.length > 0) this.#unpublish(ports);
    await this.#letGo(id);
  }

  /** Takes over from an engine that is gone what stood in its memory for the ports. */
  async adopt(attachment: Attachment): Promise<void> {
    if (attachment.ports.length > 0) await this.#adopt(attachment);
  }

  /** Lets go of what the engine holds; the rules stay. */
  async close(): Promise<void> {
    for (const id of [...this.#held.keys()]) await this.#letGo(id);
  }

  async #adopt(attachment: Attachment): Promise<void> {
    const { id, ports } = attachment;
    const stack = new AsyncDisposableStack();
    const context = { ...this.#context(attachment), holderOf: () => undefined };
    const isReachable = context.ipv4 !== undefined || context.ipv6 !== undefined;
    for (const binding of isReachable ? ports : []) {
      try {
        stack.use(await holdBinding(binding, context));
      } catch (error) {
        this.#options.log.warn("Cannot take over a published port", { container: id, binding, error });
      }
    }
    this.#held.set(id, { bindings: ports, [Symbol.asyncDispose]: () => stack.disposeAsync() });
  }

  async #letGo(id: string): Promise<void> {
    const held = this.#held.get(id);
    this.#held.delete(id);
    await held?.[Symbol.asyncDispose]();
  }

  /** Rules that go make the kernel wait; whoever publishes next comes after, as the table has one writer. */
  #unpublish(bindings: readonly PortBinding[]): void {
    const { firewall, publications, background } = this.#options;
    background.add(
      "take published ports out of the firewall",
      firewall.publish(publications()).then(() => this.#redirectSenders(bindings)),
    );
  }

  /** Senders whose datagrams went elsewhere until now come to where these ports lead. */
  #redirectSenders(bindings: readonly PortBinding[]): void {
    const ports = bindings.filter(({ protocol }) => protocol === "udp").map(({ hostPort }) => hostPort);
    if (ports.length > 0) this.#options.background.add("redirect senders of datagrams", this.#forget(ports));
  }

  async #forget(ports: readonly number[]): Promise<void> {
    // The kernel looks through all of its flows, 10 ms: not before the caller has gone on.
    await setImmediate();
    const addresses = new Set(this.#options.netlink.addresses().map((one) => one.address));
    for (const port of ports) forgetDatagramFlows({ port, addresses });
  }

  #context({ name, endpoints }: Publisher): PublishContext {
    const { ipv4, ipv6 } = publishedEndpoints(endpoints);
    return {
      ...(ipv4?.ipv4 !== undefined && { ipv4: ipv4.ipv4 }),
      ...(ipv6?.ipv6 !== undefined && { ipv6: ipv6.ipv6 }),
      subject: `endpoint ${name} (${(ipv4 ?? ipv6)?.endpointId})`,
      holderOf: (binding) => this.#options.attachments.holderOf(binding)?.name,
    };
  }
}
