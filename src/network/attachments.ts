import { shortId } from "#base/ids.ts";
import { decodeAttachment } from "./attachment.ts";
import type { Attachment } from "./attachment.ts";
import type { DocumentTable } from "./network-records.ts";
import type { PortBinding } from "./port-publisher.ts";
import type { Publication } from "./publish-rules.ts";

/** Everybody who is attached, kept in the database so that the next engine knows them. */
export class Attachments {
  readonly #table: DocumentTable;
  readonly #byId = new Map<string, Attachment>();

  constructor(table: DocumentTable) {
    this.#table = table;
    for (const { value } of table.all()) {
      const attachment = decodeAttachment(value);
      this.#byId.set(attachment.id, attachment);
    }
  }

  get size(): number {
    return this.#byId.size;
  }

  all(): Attachment[] {
    return [...this.#byId.values()];
  }

  find(id: string): Attachment | undefined {
    return this.#byId.get(id);
  }

  put(attachment: Attachment): void {
    this.#table.put(attachment.id, attachment);
    this.#byId.set(attachment.id, attachment);
  }

  remove(id: string): void {
    this.#byId.delete(id);
    this.#table.remove(id);
  }

  /** The one that publishes a port which `binding` would also answer on. */
  holderOf(binding: PortBinding): Attachment | undefined {
    return this.all().find(({ ports }) => ports.some((port) => clash(port, binding)));
  }

  /** What the firewall is to publish, in a stable order; the rest is carried by proxies. */
  publications(): Publication[] {
    return this.all().flatMap(({ id, name, ports, endpoints: [endpoint] }) => {
      const comment = `${name} (${shortId(id)}) on ${endpoint?.networkName}`;
      return ports.flatMap((port) => {
        const address = port.hostIp.includes(":") ? endpoint?.ipv6 : endpoint?.ipv4;
        return address === undefined ? [] : [{ ...port, address, comment }];
      });
    });
  }
}

function clash(left: PortBinding, right: PortBinding): boolean {
  if (left.protocol !== right.protocol || left.hostPort !== right.hostPort) return false;
  if (left.hostIp.includes(":") !== right.hostIp.includes(":")) return false;
  return left.hostIp === right.hostIp || isWildcard(left.hostIp) || isWildcard(right.hostIp);
}

function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}
