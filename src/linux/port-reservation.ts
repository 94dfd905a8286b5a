import { check, libc } from "./_libc.ts";
import { addressBytes } from "./netlink/ip-address.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPPROTO_SCTP = 132;
/** Of `struct sockaddr_in6`, the longer of the two. */
const ADDRESS_BYTES = 28;

export interface PortToReserve {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** `0.0.0.0` or `::` for every address of the host in that family. */
  readonly address: string;
  /** 0: the kernel chooses a free one of `net.ipv4.ip_local_port_range`. */
  readonly port: number;
}

/** A port of the host that no other program can take until this is disposed. */
export interface PortReservation extends Disposable {
  readonly port: number;
}

/**
 * Holds a port with a socket that listens and is never read: rules of the firewall turn its traffic away before it gets
 * there, and to every other program the port is in use.
 *
 * @throws {SystemCallError} EADDRINUSE, EADDRNOTAVAIL when `address` is not of this host, EAFNOSUPPORT, EPROTONOSUPPORT
 * when the kernel has no SCTP
 */
export function reservePort(wanted: PortToReserve): PortReservation {
  const isDatagram = wanted.protocol === "udp";
  const isIpv6 = wanted.address.includes(":");
  const subject = `${wanted.address}:${wanted.port}/${wanted.protocol}`;
  const type = (isDatagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC;
  const protocol = wanted.protocol === "sctp" ? IPPROTO_SCTP : 0;
  const fd = check(libc.socket(isIpv6 ? AF_INET6 : AF_INET, type, protocol), "socket", subject);
  try {
    // A stream socket that listens keeps others out even so, and remains of old connections do not keep us out.
    if (isDatagram) setOption(fd, SOL_SOCKET, SO_RCVBUF, 0);
    else setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (isIpv6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    const address = socketAddress(wanted);
    check(libc.bind(fd, address, address.length), "bind", subject);
    if (!isDatagram) check(libc.listen(fd, 0), "listen", subject);
    const length = Uint32Array.of(ADDRESS_BYTES);
    const bound = new Uint8Array(ADDRESS_BYTES);
    check(libc.getsockname(fd, bound, length), "getsockname", subject);
    const port = new DataView(bound.buffer).getUint16(2);
    return { port, [Symbol.dispose]: () => void libc.close(fd) };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function setOption(fd: number, level: number, option: number, value: number): void {
  check(libc.setsockopt(fd, level, option, Int32Array.of(value), 4), "setsockopt");
}

/** Family in host order, port and address in network order; IPv6 has a flow label before the address. */
function socketAddress({ address, port }: PortToReserve): Uint8Array {
  const isIpv6 = address.includes(":");
  const bytes = new Uint8Array(isIpv6 ? ADDRESS_BYTES : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isIpv6 ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  bytes.set(addressBytes(address), isIpv6 ? 8 : 4);
  return bytes;
}
