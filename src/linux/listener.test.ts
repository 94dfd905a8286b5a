import { expect, test } from "bun:test";
import { findListener, listeningInodes } from "./listener.ts";
import type { ListenerQuery } from "./listener.ts";
import { reservePort } from "./port-reservation.ts";

const HEADING =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const line = (local: string, state: string, inode: number): string =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0`;

const TCP = [
  HEADING,
  line("00000000:1F90", "0A", 1),
  line("0100007F:1F90", "0A", 2),
  line("0202000A:1F90", "01", 3),
  line("0202000A:0050", "0A", 4),
  line("0000000000000000FFFF00000100007F:1F90", "0A", 5),
  line("00000000000000000000000001000000:1F90", "0A", 6),
].join("\n");

const QUERIES: [string, ListenerQuery, string[]][] = [
  ["every listener of the port on any address", { protocol: "tcp", port: 8080 }, ["1", "2", "5", "6"]],
  ["those that bar the wildcard", { protocol: "tcp", port: 8080, address: "0.0.0.0" }, ["1", "2", "5", "6"]],
  ["those that bar loopback", { protocol: "tcp", port: 8080, address: "127.0.0.1" }, ["1", "2", "5"]],
  ["those that bar another address", { protocol: "tcp", port: 8080, address: "10.0.2.2" }, ["1"]],
  ["a UDP socket in any state", { protocol: "udp", port: 8080, address: "10.0.2.2" }, ["1", "3"]],
  ["none of another port", { protocol: "tcp", port: 81 }, []],
];

for (const [name, query, expected] of QUERIES) {
  test(`listeningInodes() gives ${name}`, () => expect(listeningInodes(TCP, query)).toEqual(expected));
}

for (const protocol of ["tcp", "udp"] as const) {
  test(`findListener() names the process that holds a ${protocol} port`, () => {
    using held = reservePort({ protocol, address: "127.0.0.1", port: 0 });
    expect(findListener({ protocol, port: held.port })?.pid).toBe(process.pid);
  });
}

test("findListener() finds nobody on a free port", () => {
  const held = reservePort({ protocol: "tcp", address: "127.0.0.1", port: 0 });
  held[Symbol.dispose]();
  expect(findListener({ protocol: "tcp", port: held.port })).toBeUndefined();
});
