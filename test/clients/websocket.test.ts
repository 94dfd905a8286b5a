import { request } from "node:http";
import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestEngine } from "../engine.ts";
import { guestFile, testGuest } from "./guest.ts";

// Attach over WebSocket, by a client of another make (undici), and by hand where that one is too well-behaved.

testGuest("WebSocket", ["node", guestFile("websocket.mjs")]);

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
  await engine.darse(["run", "-d", "-i", "--name", "cat", "busybox", "cat"]);
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

const ASKS = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

interface Opened {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly socket: Socket | undefined;
  readonly text: string;
}

function open(headers: Record<string, string>, path = "/containers/cat/attach/ws?stream=1&stdin=1&stdout=1") {
  const { promise, resolve, reject } = Promise.withResolvers<Opened>();
  const outgoing = request({ socketPath: engine.socket, path, headers });
  outgoing.on("error", reject);
  outgoing.on("upgrade", ({ statusCode = 0, headers: found }, socket: Socket) =>
    resolve({ status: statusCode, headers: found, socket, text: "" }),
  );
  outgoing.on("response", (answer) => {
    let text = "";
    answer.on("data", (part: Buffer) => (text += part.toString()));
    answer.on("end", () =>
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, socket: undefined, text }),
    );
  });
  outgoing.end();
  return promise;
}

test("the handshake of RFC 6455, 1.3 has its answer", async () => {
  const { status, headers, socket } = await open(ASKS);
  expect(status).toBe(101);
  expect(headers["sec-websocket-accept"]).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  expect(headers["upgrade"]).toBe("websocket");
  socket?.destroy();
});

const refusedHandshakes: [name: string, headers: Record<string, string>, status: number, text: RegExp][] = [
  ["no upgrade", {}, 400, /does not ask to upgrade/],
  ["an old version", { ...ASKS, "sec-websocket-version": "8" }, 400, /version 13 is known, found \\"8\\"/],
  ["no key", { ...ASKS, "sec-websocket-key": "" }, 400, /is not 16 bytes/],
  ["a short key", { ...ASKS, "sec-websocket-key": "c2hvcnQ=" }, 400, /is not 16 bytes/],
];

for (const [name, headers, status, text] of refusedHandshakes) {
  test(`a handshake with ${name} is refused`, async () => {
    const answer = await open(headers);
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(text);
  });
}

test("a container that is not there is refused before the handshake", async () => {
  const answer = await open(ASKS, "/containers/nope/attach/ws?stream=1");
  expect(answer.status).toBe(404);
  expect(answer.text).toContain("No such container: nope");
});

test("a client that breaks the protocol is told 1002, and the container lives on", async () => {
  const { socket } = await open(ASKS);
  const answer = new Promise<Buffer>((resolve) => {
    const parts: Buffer[] = [];
    socket?.on("data", (part: Buffer) => parts.push(part));
    socket?.on("close", () => resolve(Buffer.concat(parts)));
  });
  socket?.write(Buffer.from([0x81, 0x01, 0x78]));
  expect([...(await answer)]).toEqual([0x88, 0x02, 0x03, 0xea]);
  expect((await engine.darse(["inspect", "-f", "{{.State.Running}}", "cat"])).stdout).toBe("true\n");
}, 10_000);

test("a client that is gone without a word leaves nothing behind", async () => {
  for (let times = 0; times < 20; times++) (await open(ASKS)).socket?.destroy();
  const { socket } = await open(ASKS);
  const heard = new Promise<string>((resolve) =>
    socket?.once("data", (part) => resolve(part.toString("latin1"))),
  );
  socket?.write(Buffer.from([0x81, 0x83, 0, 0, 0, 0, 0x68, 0x69, 0x0a]));
  expect(await heard).toBe("\x82\x03hi\n");
  socket?.destroy();
}, 10_000);
