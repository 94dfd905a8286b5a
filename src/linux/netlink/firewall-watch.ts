import { check, libc } from "../_libc.ts";
import { decodeAttributes, decodeMessages, decodeText } from "./message.ts";
import { NETLINK_NETFILTER } from "./netlink-socket.ts";

/**
 * Hears of what is taken out of the host's firewall, by whomever, in the moment it happens: the kernel tells everybody
 * who has joined the group. To look every now and then would leave a door open until the next look.
 */
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const RECEIVE_BYTES = 1024 * 1024;
/** `struct sockaddr_nl`: family, padding, port, groups. */
const ADDRESS_BYTES = 12;
/** `NFNLGRP_NFTABLES`, as a bit. */
const GROUP = 1 << 6;
const NFGENMSG_BYTES = 4;
/** `nf_tables.h`: the messages of tables, chains, rules, sets and their elements that go; attribute 1 is the table. */
const SUBSYSTEM = 10 << 8;
const REMOVALS: ReadonlySet<number> = new Set([2, 5, 8, 11, 14].map((kind) => SUBSYSTEM | kind));
const TABLE_NAME = 1;

export interface FirewallWatchOptions {
  /** Something of this table was removed; our own removals are told of as well. */
  removed(table: string): void;
  /** The kernel had more to tell than we took: anything may have been removed. */
  missed(): void;
  /** Nothing more will be heard. */
  readonly failed: (error: unknown) => void;
}

export async function watchFirewall(options: FirewallWatchOptions): Promise<Disposable> {
  let isOver = false;
  let socket = await join();
  async function join(): Promise<Disposable> {
    return await openGroup({
      received: (bytes) => {
        for (const table of removedFrom(bytes)) options.removed(table);
      },
      closed: () => {
        if (isOver) return;
        options.missed();
        void join().then(follow, options.failed);
      },
    });
  }
  function follow(next: Disposable): void {
    socket = next;
    if (isOver) next[Symbol.dispose]();
  }
  return {
    [Symbol.dispose]() {
      isOver = true;
      socket[Symbol.dispose]();
    },
  };
}

/** The tables that a datagram of the group tells removals from. Pure. */
export function removedFrom(datagram: Uint8Array): Set<string> {
  const tables = new Set<string>();
  for (const { type, payload } of decodeMessages(datagram)) {
    if (!REMOVALS.has(type)) continue;
    const name = decodeAttributes(payload.subarray(NFGENMSG_BYTES)).get(TABLE_NAME);
    if (name !== undefined) tables.add(decodeText(name));
  }
  return tables;
}

interface GroupHandlers {
  received(datagram: Uint8Array): void;
  closed(): void;
}

async function openGroup(handlers: GroupHandlers): Promise<Disposable> {
  const flags = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(libc.socket(AF_NETLINK, flags, NETLINK_NETFILTER), "socket", "netlink");
  const address = new Uint8Array(ADDRESS_BYTES);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(8, GROUP, true);
  try {
    // Where it may not be so large, more may be missed, and is then looked for.
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, Int32Array.of(RECEIVE_BYTES), 4);
    check(libc.bind(fd, address, ADDRESS_BYTES), "bind", "netlink");
    const socket = await Bun.connect({
      fd,
      socket: {
        data: (_socket, bytes) => handlers.received(bytes),
        close: () => handlers.closed(),
        error: () => undefined,
      },
    });
    // It does not keep the program alive.
    socket.unref();
    return { [Symbol.dispose]: () => socket.terminate() };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
