import { check, libc } from "./_libc.ts";

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
/** `struct sockaddr_in`: family in host order, port and address in network order, 8 bytes of padding. */
const ADDRESS_BYTES = 16;

export interface PortToReserve {
  readonly protocol: "tcp" | "udp";
  /** IPv4, `0.0.0.0` for every address of the host. */
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
 * @throws {SystemCallError} EADDRINUSE, EADDRNOTAVAIL when `address` is not of this host
 */
export function reservePort(wanted: PortToReserve): PortReservation {
  const isTcp = wanted.protocol === "tcp";
  const subject = `${wanted.address}:${wanted.port}/${wanted.protocol}`;
  const type = (isTcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC;
  const fd = check(libc.socket(AF_INET, type, 0), "socket", subject);
  try {
    // A stream socket that listens keeps others out even so, and remains of old connections do not keep us out.
    if (isTcp) setOption(fd, SO_REUSEADDR, 1);
    else setOption(fd, SO_RCVBUF, 0);
    const address = socketAddress(wanted);
    check(libc.bind(fd, address, ADDRESS_BYTES), "bind", subject);
    if (isTcp) check(libc.listen(fd, 0), "listen", subject);
    const length = Uint32Array.of(ADDRESS_BYTES);
    check(libc.getsockname(fd, address, length), "getsockname", subject);
    const port = new DataView(address.buffer).getUint16(2);
    return { port, [Symbol.dispose]: () => void libc.close(fd) };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function setOption(fd: number, option: number, value: number): void {
  check(libc.setsockopt(fd, SOL_SOCKET, option, Int32Array.of(value), 4), "setsockopt");
}

function socketAddress({ address, port }: PortToReserve): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  bytes.set(address.split(".").map(Number), 4);
  return bytes;
}
