import type { Logger } from "#base/log.ts";
import { isErrno } from "#base/errors.ts";
import type { Kernel } from "#linux/kernel.ts";
import { makePortAlias, removePortAlias } from "#linux/netlink/port-alias.ts";
import { NAME_SERVER_ADDRESS } from "../resolv-conf.ts";
import type { DnsOverrides } from "../resolv-conf.ts";
import { exchange } from "./exchange.ts";
import type { OpenUpstream, Transport } from "./exchange.ts";
import { NameServer } from "./name-server.ts";
import type { ServerPorts } from "./name-server.ts";
import { NameTable } from "./name-table.ts";
import type { NamedContainer } from "./name-table.ts";
import { Responder } from "./responder.ts";
import { openUpstream } from "./upstream-link.ts";
import { chooseUpstreams } from "./upstreams.ts";

/** One container as the name service sees it. */
export interface ServedContainer extends NamedContainer {
  readonly namespacePath: string;
  readonly overrides?: DnsOverrides;
  /** False when all its networks are internal. */
  readonly hasWayOut: boolean;
  readonly hasIpv6: boolean;
}

export interface NameServiceOptions {
  readonly kernel: Pick<Kernel, "inNetworkNamespace">;
  readonly log: Logger;
  /** All that are attached to networks with name service now. */
  containers(): readonly ServedContainer[];
  /** Another number when `containers` gives something else. */
  version(): number;
  /** The host's `/etc/resolv.conf`. */
  readHostResolvConf(): string;
}

interface Snapshot {
  readonly version: number;
  readonly table: NameTable;
  readonly byId: ReadonlyMap<string, ServedContainer>;
}

/** The nftables table inside each container. */
const TABLE = "darse_names";
const DNS_PORT = 53;
/** Until a silent upstream is given company, and until all are given up; the C library itself waits 5 s. */
const PATIENCE_MS = 1500;
const DEADLINE_MS = 4800;
/** The host's file is looked at again after this. */
const HOST_FILE_MS = 1000;
/** Questions of all containers that wait for upstreams at once: each takes up to three sockets. */
const MAX_WAITING = 2048;

/**
 * Answers containers at 127.0.0.11: the names of those who share a network with them, and what the host's resolvers say.
 * A server for each container, in its network namespace; all in the engine's one event loop.
 */
export class NameService {
  readonly #options: NameServiceOptions;
  readonly #servers = new Map<string, NameServer>();
  /** Made at the first question after a change. */
  #snapshot: Snapshot | undefined;
  #waiting = 0;
  #hostFile: { readonly text: string; readonly readAt: number } | undefined;

  constructor(options: NameServiceOptions) {
    this.#options = options;
  }

  /** Serves a container, or goes on doing so. Gives the ports, which another engine may take over with `resume`. */
  open(id: string, namespacePath: string): ServerPorts {
    const running = this.#servers.get(id);
    if (running !== undefined) return running.ports;
    return this.#start(id, namespacePath, (server) => {
      makePortAlias({ table: TABLE, address: NAME_SERVER_ADDRESS, port: DNS_PORT, ...server.ports });
    });
  }

  /** Serves a container that an engine before us served on these ports. */
  resume(id: string, namespacePath: string, ports: ServerPorts): ServerPorts {
    try {
      return this.#start(id, namespacePath, () => undefined, ports);
    } catch (error) {
      if (!isErrno(error, "EADDRINUSE")) throw error;
      // A program of the container has taken one of them meanwhile.
      return this.#start(id, namespacePath, (server) => {
        removePortAlias(TABLE);
        makePortAlias({ table: TABLE, address: NAME_SERVER_ADDRESS, port: DNS_PORT, ...server.ports });
      });
    }
  }

  /** Success when it is not served. */
  close(id: string): void {
    this.#servers.get(id)?.close();
    this.#servers.delete(id);
  }

  closeAll(): void {
    for (const id of this.#servers.keys()) this.close(id);
  }

  #start(
    id: string,
    namespacePath: string,
    prepare: (server: NameServer) => void,
    ports: ServerPorts = { udp: 0, tcp: 0 },
  ): ServerPorts {
    const responder = this.#responderFor(id);
    const server = this.#options.kernel.inNetworkNamespace(namespacePath, () => {
      const opened = new NameServer(responder, ports);
      try {
        prepare(opened);
        return opened;
      } catch (error) {
        opened.close();
        throw error;
      }
    });
    this.#servers.set(id, server);
    return server.ports;
  }

  #responderFor(id: string): Responder {
    return new Responder({
      names: {
        findName: (name) => this.#current().table.findName(id, name),
        findAddress: (address) => this.#current().table.findAddress(id, address),
      },
      forward: (message, transport) => this.#forward(id, message, transport),
      keepsBareNames: () => asksForDots(this.#current().byId.get(id)?.overrides),
      random: Math.random,
    });
  }

  #current(): Snapshot {
    const version = this.#options.version();
    if (this.#snapshot?.version !== version) {
      const containers = this.#options.containers();
      const byId = new Map(containers.map((one) => [one.id, one]));
      this.#snapshot = { version, table: new NameTable(containers), byId };
    }
    return this.#snapshot;
  }

  async #forward(id: string, message: Uint8Array, transport: Transport): Promise<Uint8Array | undefined> {
    const container = this.#current().byId.get(id);
    if (container === undefined || this.#waiting >= MAX_WAITING) return undefined;
    const { namespacePath, hasWayOut, hasIpv6, overrides } = container;
    const hostText = this.#hostText();
    const upstreams = chooseUpstreams({ hostText, hasWayOut, hasIpv6, ...(overrides && { overrides }) });
    const { kernel } = this.#options;
    const open: OpenUpstream = (upstream, ...rest) =>
      upstream.from === "host"
        ? openUpstream(upstream, ...rest)
        : kernel.inNetworkNamespace(namespacePath, () => openUpstream(upstream, ...rest));
    this.#waiting++;
    try {
      const times = { patienceMs: PATIENCE_MS, deadlineMs: DEADLINE_MS };
      return await exchange(message, { open, upstreams, transport, ...times });
    } finally {
      this.#waiting--;
    }
  }

  /** A host that moves to another network gets other resolvers, and its containers with it. */
  #hostText(): string {
    const now = performance.now();
    if (this.#hostFile === undefined || now - this.#hostFile.readAt > HOST_FILE_MS) {
      this.#hostFile = { text: this.#options.readHostResolvConf(), readAt: now };
    }
    return this.#hostFile.text;
  }
}

/** `--dns-option ndots:1` and more: a name without a dot is to be tried with the search list alone (as in moby). */
function asksForDots(overrides: DnsOverrides | undefined): boolean {
  return overrides?.options?.some((one) => /^ndots:[1-9]/.test(one)) ?? false;
}
