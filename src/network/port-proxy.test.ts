import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { expect, test } from "bun:test";
import { openTcpProxy, openUdpProxy } from "./port-proxy.ts";

const LOOPBACK = "127.0.0.1";

/** A TCP server that says back all it got, once the other side has ended. */
async function openEcho(): Promise<{ port: number } & Disposable> {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  const { port } = portOf(server.address());
  return { port, [Symbol.dispose]: () => void server.close() };
}

function portOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === "string") throw new Error("no address");
  return address;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "::");
  await once(server, "listening");
  const { port } = portOf(server.address());
  server.close();
  await once(server, "close");
  return port;
}

test("each direction of a connection ends on its own, and a mebibyte passes whole", async () => {
  using echo = await openEcho();
  const hostPort = await freePort();
  await using _proxy = await openTcpProxy({
    hostIp: "::1",
    hostPort,
    target: { address: LOOPBACK, port: echo.port },
  });
  const client = connect({ host: "::1", port: hostPort, allowHalfOpen: true });
  const sent = Buffer.alloc(1 << 20, "darse");
  client.end(sent);
  const chunks: Buffer[] = [];
  client.on("data", (chunk) => chunks.push(Buffer.from(chunk)));
  await once(client, "end");
  expect(Buffer.concat(chunks).equals(sent)).toBe(true);
});

test("a container that refuses ends the connection", async () => {
  const [hostPort, port] = [await freePort(), await freePort()];
  await using _proxy = await openTcpProxy({ hostIp: "::1", hostPort, target: { address: LOOPBACK, port } });
  const client = connect(hostPort, "::1");
  client.on("error", () => undefined);
  await once(client, "close");
  expect(client.bytesRead).toBe(0);
});

test("the proxy listens on IPv6 alone", async () => {
  using echo = await openEcho();
  const hostPort = await freePort();
  await using _proxy = await openTcpProxy({
    hostIp: "::",
    hostPort,
    target: { address: LOOPBACK, port: echo.port },
  });
  const client = connect(hostPort, LOOPBACK);
  const [error] = await once(client, "error").catch((thrown: unknown) => [thrown]);
  expect(error).toMatchObject({ code: "ECONNREFUSED" });
});

for (const [name, open] of [
  ["TCP", openTcpProxy],
  ["UDP", openUdpProxy],
] as const) {
  test(`a taken ${name} port is EADDRINUSE, and free again when the holder is disposed`, async () => {
    const options = { hostIp: "::1", hostPort: await freePort(), target: { address: LOOPBACK, port: 9 } };
    const first = await open(options);
    await expect(open(options)).rejects.toMatchObject({ code: "EADDRINUSE" });
    await first[Symbol.asyncDispose]();
    await (await open(options))[Symbol.asyncDispose]();
  });
}

test("disposing cuts open connections", async () => {
  using echo = await openEcho();
  const hostPort = await freePort();
  const proxy = await openTcpProxy({
    hostIp: "::1",
    hostPort,
    target: { address: LOOPBACK, port: echo.port },
  });
  const client = connect(hostPort, "::1");
  client.on("error", () => undefined);
  client.write("x");
  await once(client, "data");
  const closed = once(client, "close");
  await proxy[Symbol.asyncDispose]();
  await closed;
});

test("datagrams of several senders each find their way back", async () => {
  const echo = createSocket("udp4");
  echo.on("message", (bytes, from) => echo.send(`${bytes.toString()}!`, from.port, from.address));
  echo.bind(0, LOOPBACK);
  await once(echo, "listening");
  const hostPort = await freePort();
  await using _proxy = await openUdpProxy({
    hostIp: "::1",
    hostPort,
    target: { address: LOOPBACK, port: echo.address().port },
  });
  const answers = ["a", "b", "c"].map(async (text) => {
    const client = createSocket("udp6");
    client.send(text, hostPort, "::1");
    const [bytes]: unknown[] = await once(client, "message");
    client.close();
    return String(bytes);
  });
  expect(await Promise.all(answers)).toEqual(["a!", "b!", "c!"]);
  echo.close();
});
