import { isErrno } from "#base/errors.ts";
import { addressText } from "./ip-address.ts";
import {
  attribute,
  concatenate,
  decodeAttributes,
  nested,
  u32Attribute,
  u8Attribute,
  viewOf,
} from "./message.ts";
import { NetlinkSocket } from "./netlink-socket.ts";

/** `uapi/linux/netfilter/nfnetlink_conntrack.h`. */
const IPCTNL_MSG_CT_GET = (1 << 8) | 1;
const IPCTNL_MSG_CT_DELETE = (1 << 8) | 2;
const CTA_TUPLE_ORIG = 1;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const FILTER_PROTO_NUM = 1 << 3;
const FILTER_PROTO_DST_PORT = 1 << 5;
const IPPROTO_UDP = 17;
/** `struct nfgenmsg`: family IPv4 or IPv6, version 0, no resource. */
const HEADERS = { ipv4: Uint8Array.of(2, 0, 0, 0), ipv6: Uint8Array.of(10, 0, 0, 0) } as const;
const HEADER_BYTES = 4;

type Family = keyof typeof HEADERS;

/** Datagrams to a port of this host. */
export interface DatagramFlows {
  readonly port: number;
  /** The host's own addresses; flows to others, which only have the same port number, are left alone. */
  readonly addresses: ReadonlySet<string>;
}

/**
 * Makes the kernel decide anew where datagrams to the port go: rules are looked at only for the first datagram of a
 * flow, and a sender that never falls silent would for ever go where the port led before. Gives how many it forgot.
 */
export function forgetDatagramFlows(flows: DatagramFlows): number {
  const socket = NetlinkSocket.toNetfilter();
  return forgetOfFamily(socket, "ipv4", flows) + forgetOfFamily(socket, "ipv6", flows);
}

function forgetOfFamily(socket: NetlinkSocket, family: Family, { port, addresses }: DatagramFlows): number {
  const operation = `forget flows to UDP port ${port}`;
  // Kernels before 5.8 do not know the filter and give every flow.
  const payload = flowQueryBody(port, family);
  let forgotten = 0;
  for (const body of socket.dump({ operation, type: IPCTNL_MSG_CT_GET, payload })) {
    const tuple = decodeAttributes(body.subarray(HEADER_BYTES)).get(CTA_TUPLE_ORIG);
    if (tuple === undefined || !isTo(tuple, port, addresses)) continue;
    const flow = concatenate([HEADERS[family], nested(CTA_TUPLE_ORIG, tuple)]);
    try {
      socket.request({ operation, type: IPCTNL_MSG_CT_DELETE, payload: flow });
      forgotten++;
    } catch (error) {
      // It ended meanwhile.
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }
  return forgotten;
}

/** The body that asks for the flows of a family whose first datagram went to the UDP port. */
export function flowQueryBody(port: number, family: Family = "ipv4"): Uint8Array {
  const flags = u32Attribute(CTA_FILTER_ORIG_FLAGS, FILTER_PROTO_NUM | FILTER_PROTO_DST_PORT);
  const protocol = u8Attribute(CTA_PROTO_NUM, IPPROTO_UDP);
  const destination = attribute(CTA_PROTO_DST_PORT, Uint8Array.of(port >> 8, port & 0xff));
  const tuple = nested(CTA_TUPLE_ORIG, nested(CTA_TUPLE_PROTO, protocol, destination));
  return concatenate([HEADERS[family], tuple, nested(CTA_FILTER, flags)]);
}

function isTo(tuple: Uint8Array, port: number, addresses: ReadonlySet<string>): boolean {
  const parts = decodeAttributes(tuple);
  const protocol = decodeAttributes(parts.get(CTA_TUPLE_PROTO) ?? new Uint8Array());
  const number = protocol.get(CTA_PROTO_DST_PORT);
  if (protocol.get(CTA_PROTO_NUM)?.[0] !== IPPROTO_UDP || number === undefined) return false;
  const ip = decodeAttributes(parts.get(CTA_TUPLE_IP) ?? new Uint8Array());
  const address = ip.get(CTA_IP_V4_DST) ?? ip.get(CTA_IP_V6_DST);
  return viewOf(number).getUint16(0) === port && address !== undefined && addresses.has(addressText(address));
}
