import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "bun:test";
import { reservePort } from "./port-reservation.ts";

test("a port of one family leaves that of the other free", () => {
  for (const protocol of ["tcp", "udp"] as const) {
    using ipv6 = reservePort({ protocol, address: "::", port: 0 });
    expect(() => reservePort({ protocol, address: "::1", port: ipv6.port })).toThrow("EADDRINUSE");
    reservePort({ protocol, address: "0.0.0.0", port: ipv6.port })[Symbol.dispose]();
  }
});

for (const protocol of ["tcp", "udp"] as const) {
  test(`a ${protocol} port that is held can not be held again, on any address, until it is disposed`, () => {
    const held = reservePort({ protocol, address: "0.0.0.0", port: 0 });
    const again = { protocol, address: "127.0.0.1", port: held.port };
    expect(() => reservePort(again)).toThrow(expect.objectContaining({ code: "EADDRINUSE" }));
    held[Symbol.dispose]();
    reservePort(again)[Symbol.dispose]();
  });

  test(`a ${protocol} port of a foreign address is EADDRNOTAVAIL`, () => {
    const foreign = { protocol, address: "203.0.113.9", port: 0 };
    expect(() => reservePort(foreign)).toThrow(expect.objectContaining({ code: "EADDRNOTAVAIL" }));
  });
}

test("no other program can listen on a held TCP port", async () => {
  using held = reservePort({ protocol: "tcp", address: "127.0.0.1", port: 0 });
  const server = createServer().listen(held.port, "127.0.0.1");
  const [error] = await once(server, "error").catch((thrown: unknown) => [thrown]);
  expect(error).toMatchObject({ code: "EADDRINUSE" });
});

test("no other program can bind a held UDP port", async () => {
  using held = reservePort({ protocol: "udp", address: "127.0.0.1", port: 0 });
  const socket = createSocket("udp4");
  const failed = once(socket, "error").catch((thrown: unknown) => [thrown]);
  socket.bind(held.port, "127.0.0.1");
  const [error] = await failed;
  expect(error).toMatchObject({ code: "EADDRINUSE" });
  socket.close();
});
