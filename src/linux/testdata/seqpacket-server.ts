import { dlopen } from "bun:ffi";
import { mkdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { check, libc } from "../_libc.ts";

const { listen, accept4 } = dlopen("libc.so.6", {
  listen: { args: ["i32", "i32"], returns: "i32" },
  accept4: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
}).symbols;

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;

/** A `SOCK_SEQPACKET` server as conmon's, at a path of any length. */
export function bindSeqpacket(path: string) {
  mkdirSync(dirname(path), { recursive: true });
  const folder = check(libc.open(dirname(path), 0, 0), "open");
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(`/proc/self/fd/${folder}/${basename(path)}`, 2);
  const fd = check(libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket");
  check(libc.bind(fd, address, address.length), "bind", path);
  check(listen(fd, 1), "listen");
  libc.close(folder);
  return { accept: () => acceptOne(fd), [Symbol.dispose]: () => void libc.close(fd) };
}

function acceptOne(listener: number) {
  const fd = check(accept4(listener, null, null, SOCK_CLOEXEC), "accept4");
  return {
    send: (text: string) => check(libc.send(fd, Buffer.from(text), text.length, 0), "send"),
    [Symbol.dispose]: () => void libc.close(fd),
  };
}
