import { closeSync, openSync } from "node:fs";
import { isErrno } from "#base/errors.ts";
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "./message.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import type { NetlinkRequest } from "./netlink-socket.ts";
import {
  addressBody,
  addressDumpBody,
  bridgeBody,
  decodeAddress,
  decodeLink,
  decodeRoute,
  dummyBody,
  linkBody,
  linkDumpBody,
  linkQueryBody,
  portBody,
  routeBody,
  routeDumpBody,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELROUTE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTM_SETLINK,
  stationBody,
  upperLinkBody,
  vethBody,
} from "./route-message.ts";
import type {
  Address,
  Link,
  LinkSettings,
  NewRoute,
  PortSettings,
  Route,
  UpperLink,
} from "./route-message.ts";

const ADDRESS_FAMILIES = new Set([2, 10]);
const MAX_NAME_LENGTH = 15;

export interface NewBridge {
  readonly name: string;
  readonly mtu: number;
  /** Given, it stays; otherwise it follows the lowest of the ports. */
  readonly mac?: string;
}

export interface NewVeth {
  readonly name: string;
  readonly mtu: number;
  /** Of the near end: a number by which rules of the firewall know several links. */
  readonly group?: number;
  /** Index of the bridge the near end joins. */
  readonly masterIndex?: number;
  readonly isUp?: boolean;
  /** The far end: its final name, and the namespace (a path, or a descriptor) in which it appears; it is down. */
  readonly peer: {
    readonly name: string;
    readonly namespace?: string | number;
    readonly mac?: string;
    readonly transmitQueueLength?: number;
  };
}

export interface NewUpperLink {
  readonly name: string;
  /** Index of the link below, in the socket's own namespace. */
  readonly parentIndex: number;
  readonly upper: UpperLink;
  readonly mac?: string;
  readonly mtu?: number;
  readonly isUp?: boolean;
  /** Path of the namespace it appears in; the socket's own when absent. */
  readonly namespace?: string;
}

/** Settings of a link that exists; `name` renames it. */
export type LinkChange = LinkSettings;

/** Everything one interface inside a namespace needs, sent as one datagram. */
export interface InterfaceSetup {
  readonly addresses: readonly Omit<Address, "linkIndex">[];
  readonly routes: readonly Omit<NewRoute, "linkIndex">[];
}

/**
 * Links, addresses and routes of one network namespace: the one in which it was opened. Every call is synchronous, a few
 * microseconds above the kernel's own work, and throws a `NetlinkError` naming operation and device.
 */
export class Rtnetlink implements Disposable {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** For the calling thread's namespace; see `kernel.inNetworkNamespace`. */
  static open(): Rtnetlink {
    return new Rtnetlink(NetlinkSocket.open(NETLINK_ROUTE));
  }

  links(): Link[] {
    const payload = linkDumpBody();
    return this.#socket.dump({ operation: "list links", type: RTM_GETLINK, payload }).map(decodeLink);
  }

  findLink(name: string): Link | undefined {
    return ifPresent(() => this.getLink(name));
  }

  /** @throws {NetlinkError} ENODEV */
  getLink(name: string): Link {
    const payload = linkQueryBody(checkedName(name));
    return decodeLink(this.#socket.query({ operation: `find link ${name}`, type: RTM_GETLINK, payload }));
  }

  /** A bridge that is up. @throws {NetlinkError} EEXIST */
  createBridge(bridge: NewBridge): void {
    const payload = bridgeBody({ ...bridge, name: checkedName(bridge.name), isUp: true });
    this.#create(`create bridge ${bridge.name}`, payload);
  }

  /** @throws {NetlinkError} EEXIST */
  createVeth(veth: NewVeth): void {
    const { namespace, ...peer } = veth.peer;
    const fd = typeof namespace === "string" ? openSync(namespace, "r") : namespace;
    try {
      const { peer: _peer, ...near } = veth;
      const payload = vethBody(
        { ...near, name: checkedName(veth.name) },
        {
          ...peer,
          name: checkedName(peer.name),
          mtu: veth.mtu,
          ...(fd !== undefined && { namespaceFd: fd }),
        },
      );
      this.#create(`create veth pair ${veth.name}`, payload);
    } finally {
      if (typeof namespace === "string" && fd !== undefined) closeSync(fd);
    }
  }

  setLink(link: Pick<Link, "index" | "name">, change: LinkChange): void {
    this.#socket.request(setLinkRequest(link, change));
  }

  /** What the bridge does with this port of it, and the station that it is to find there. */
  setPort(link: Pick<Link, "index" | "name">, settings: PortSettings, mac?: string): void {
    const operation = `change bridge port ${link.name}`;
    const station = mac === undefined ? [] : [stationBody(link.index, mac)];
    this.#socket.request(
      { operation, type: RTM_SETLINK, payload: portBody(link.index, settings) },
      ...station.map((payload) => ({
        operation,
        type: RTM_NEWNEIGH,
        flags: NLM_F_CREATE | NLM_F_REPLACE,
        payload,
      })),
    );
  }

  /** @throws {NetlinkError} EOPNOTSUPP when the kernel does not know the kind, EEXIST, EBUSY */
  createUpperLink({ parentIndex, upper, namespace, ...settings }: NewUpperLink): void {
    const fd = namespace === undefined ? undefined : openSync(namespace, "r");
    try {
      const shape = {
        ...settings,
        name: checkedName(settings.name),
        ...(fd !== undefined && { namespaceFd: fd }),
      };
      this.#create(`create ${upper.kind} ${settings.name}`, upperLinkBody(parentIndex, upper, shape));
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  /** An interface that leads nowhere, and is up. @throws {NetlinkError} EOPNOTSUPP when the kernel has none */
  createDummy(name: string): void {
    this.#create(`create dummy ${name}`, dummyBody({ name: checkedName(name), isUp: true }));
  }

  /** False when there is no such link. Deletes the far end of a veth too. Takes the kernel tens of milliseconds. */
  deleteLink(name: string): boolean {
    const deleted = ifPresent(() => {
      this.#socket.request(deleteRequest(name));
      return true;
    });
    return deleted ?? false;
  }

  /** `deleteLink` for the caller's namespace, while the calling thread goes on with other work. */
  static async deleteLinkInBackground(name: string): Promise<boolean> {
    using socket = NetlinkSocket.open(NETLINK_ROUTE);
    try {
      await socket.requestInBackground(deleteRequest(name));
      return true;
    } catch (error) {
      if (isErrno(error, "ENODEV")) return false;
      throw error;
    }
  }

  addresses(): Address[] {
    const payload = addressDumpBody();
    return this.#socket.dump({ operation: "list addresses", type: RTM_GETADDR, payload }).map(decodeAddress);
  }

  /** @throws {NetlinkError} EEXIST */
  addAddress(link: Pick<Link, "index" | "name">, address: Omit<Address, "linkIndex">): void {
    this.#socket.request(addressRequest(link, address));
  }

  /** @throws {NetlinkError} EADDRNOTAVAIL when the link has no such address */
  removeAddress(address: Address): void {
    const operation = `remove address ${address.address}/${address.prefixLength}`;
    this.#socket.request({ operation, type: RTM_DELADDR, payload: addressBody(address) });
  }

  /** IPv4 and IPv6 routes of all tables. */
  routes(): Route[] {
    const payload = routeDumpBody();
    return this.#socket
      .dump({ operation: "list routes", type: RTM_GETROUTE, payload })
      .filter((body) => ADDRESS_FAMILIES.has(body[0] ?? 0))
      .map(decodeRoute);
  }

  /** @throws {NetlinkError} EEXIST */
  addRoute(link: Pick<Link, "index" | "name">, route: Omit<NewRoute, "linkIndex">): void {
    this.#socket.request(routeRequest(link, route));
  }

  /** @throws {NetlinkError} ESRCH when there is none */
  removeRoute(link: Pick<Link, "index" | "name">, route: Omit<NewRoute, "linkIndex">): void {
    const operation = `remove route ${targetOf(route)} through ${link.name}`;
    const payload = routeBody({ ...route, linkIndex: link.index });
    this.#socket.request({ operation, type: RTM_DELROUTE, payload });
  }

  /** Addresses, up, routes: in that order, in one exchange. */
  configure(link: Pick<Link, "index" | "name">, setup: InterfaceSetup): void {
    this.#socket.request(
      ...setup.addresses.map((address) => addressRequest(link, address)),
      setLinkRequest(link, { isUp: true }),
      ...setup.routes.map((route) => routeRequest(link, route)),
    );
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  #create(operation: string, payload: Uint8Array): void {
    this.#socket.request({ operation, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, payload });
  }
}

function ifPresent<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isErrno(error, "ENODEV")) return undefined;
    throw error;
  }
}

function deleteRequest(name: string): NetlinkRequest {
  return { operation: `delete link ${name}`, type: RTM_DELLINK, payload: linkBody(0, { name }) };
}

function setLinkRequest(link: Pick<Link, "index" | "name">, change: LinkChange): NetlinkRequest {
  const settings = change.name === undefined ? change : { ...change, name: checkedName(change.name) };
  const operation = `change link ${link.name}`;
  return { operation, type: RTM_SETLINK, payload: linkBody(link.index, settings) };
}

function addressRequest(
  link: Pick<Link, "index" | "name">,
  address: Omit<Address, "linkIndex">,
): NetlinkRequest {
  return {
    operation: `add address ${address.address}/${address.prefixLength} to ${link.name}`,
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: addressBody({ ...address, linkIndex: link.index }),
  };
}

function routeRequest(
  link: Pick<Link, "index" | "name">,
  route: Omit<NewRoute, "linkIndex">,
): NetlinkRequest {
  return {
    operation: `add route ${targetOf(route)} through ${link.name}`,
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: routeBody({ ...route, linkIndex: link.index }),
  };
}

function targetOf({ destination }: Omit<NewRoute, "linkIndex">): string {
  return destination === undefined ? "default" : `${destination.address}/${destination.prefixLength}`;
}

/** @throws {Error} for a name the kernel would cut or refuse. */
function checkedName(name: string): string {
  if (!/^[^\s/:\0]+$/.test(name) || name === "." || name === ".." || name.length > MAX_NAME_LENGTH) {
    throw new Error(`not an interface name: ${JSON.stringify(name)}`);
  }
  return name;
}
