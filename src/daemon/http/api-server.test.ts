import { mkdtemp, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { silentLogger } from "#base/log.ts";
import { ApiServer } from "./api-server.ts";
import { HIJACKED, json, NO_CONTENT, type Route } from "./route.ts";

const gone = Promise.withResolvers<string>();

const routes: Route[] = [
  { method: "GET", path: "/name/{name...}/json", handle: async ({ param }) => json({ name: param("name") }) },
  {
    method: "POST",
    path: "/echo",
    handle: async (request) => json({ body: (await request.json()) ?? "nothing" }),
  },
  {
    method: "POST",
    path: "/count",
    async handle({ body }) {
      let size = 0;
      for await (const chunk of body) size += chunk.byteLength;
      return json({ size });
    },
  },
  { method: "POST", path: "/ignore", handle: async () => NO_CONTENT },
  { method: "GET", path: "/fail", handle: () => Promise.reject(new Error("broken")) },
  {
    method: "GET",
    path: "/stream",
    handle: async () => ({
      kind: "stream",
      status: 200,
      contentType: "text/plain",
      async write(body) {
        await body.write("one\n");
        await body.write("two\n");
      },
    }),
  },
  {
    method: "GET",
    path: "/wait",
    handle: ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          gone.resolve("gone");
          resolve(NO_CONTENT);
        });
      }),
  },
  {
    method: "POST",
    path: "/attach",
    async handle(request) {
      const connection = await request.hijack({ framed: true, commonHeaders: false });
      await connection.write(Buffer.from("hello "));
      for await (const chunk of connection.input) await connection.write(chunk);
      await connection.write(Buffer.from(" bye"));
      await connection.end();
      return HIJACKED;
    },
  },
];

interface Running extends AsyncDisposable {
  readonly path: string;
  /** Sends text, half-closes when asked to, and gives all that came back. */
  talk(text: string, options?: { halfClose?: boolean }): Promise<string>;
}

async function serve(): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "darse-api-"));
  const path = join(folder, "api.sock");
  const server = new ApiServer(routes, silentLogger);
  await server.listen(path);
  return {
    path,
    talk: (text, { halfClose = true } = {}) =>
      new Promise((resolve, reject) => {
        const socket = connect({ path, allowHalfOpen: true });
        const parts: Buffer[] = [];
        socket.on("data", (part: Buffer) => parts.push(part));
        socket.on("error", reject);
        socket.on("end", () => resolve(Buffer.concat(parts).toString()));
        socket.write(text);
        if (halfClose) socket.end();
      }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

const request = (line: string, body = "", headers = ""): string =>
  `${line} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n${headers}${body && `Content-Length: ${body.length}\r\n`}\r\n${body}`;

const JSON_TYPE = "Content-Type: application/json\r\n";

const answers: { name: string; send: string; want: string[] }[] = [
  {
    name: "a name may hold slashes",
    send: request("GET /name/a/b/c:tag/json"),
    want: ["200 OK", '{"name":"a/b/c:tag"}\n'],
  },
  {
    name: "a version in the path is taken off",
    send: request("GET /v1.41/name/x/json"),
    want: ["200 OK", '{"name":"x"}'],
  },
  {
    name: "a version too new is refused with the headers of negotiation",
    send: request("GET /v1.99/name/x/json"),
    want: [
      "400 Bad Request",
      "Api-Version: 1.55",
      "client version 1.99 is too new. Maximum supported API version is 1.55",
    ],
  },
  {
    name: "a version too old is refused",
    send: request("GET /v1.23/name/x/json"),
    want: ["400", "client version 1.23 is too old"],
  },
  {
    name: "an unknown path is Docker's 404",
    send: request("GET /nope"),
    want: ["404 Not Found", '{"message":"page not found"}\n'],
  },
  {
    name: "a known path with another method is the same 404",
    send: request("DELETE /echo"),
    want: ["404 Not Found"],
  },
  {
    name: "OPTIONS is answered for any path",
    send: request("OPTIONS /any"),
    want: ["200 OK", "Content-Length: 0"],
  },
  {
    name: "a JSON body is decoded",
    send: request("POST /echo", '{"a":1}', JSON_TYPE),
    want: ['{"body":{"a":1}}'],
  },
  { name: "an empty body is no error", send: request("POST /echo"), want: ['{"body":"nothing"}'] },
  {
    name: "a body of another type is refused",
    send: request("POST /echo", "a=1", "Content-Type: text/plain\r\n"),
    want: ["400", "unsupported Content-Type header (text/plain): must be 'application/json'"],
  },
  {
    name: "text after the JSON is refused",
    send: request("POST /echo", "{}{}", JSON_TYPE),
    want: ["400 Bad Request"],
  },
  {
    name: "a chunked body is joined",
    send: "POST /count HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n",
    want: ['{"size":5}'],
  },
  {
    name: "100 Continue is sent to a client that waits for it",
    send: request("POST /count", "abc", "Expect: 100-continue\r\n"),
    want: ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", '{"size":3}'],
  },
  {
    name: "a defect is a 500 with its message",
    send: request("GET /fail"),
    want: ["500 Internal Server Error", '{"message":"broken"}'],
  },
  {
    name: "a stream is chunked",
    send: request("GET /stream"),
    want: ["Transfer-Encoding: chunked", "4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n"],
  },
  {
    name: "length and chunking together are refused (case 35)",
    send: "POST /count HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
    want: ["400 Bad Request", "Connection: close"],
  },
  {
    name: "two lengths are refused (case 35)",
    send: request("POST /count", "abc", "Content-Length: 3\r\n"),
    want: ["400 Bad Request"],
  },
  {
    name: "a blank before the colon is refused",
    send: "GET /stream HTTP/1.1\r\nHost : x\r\n\r\n",
    want: ["400 Bad Request"],
  },
  { name: "what is not HTTP is refused", send: "hello\r\n\r\n", want: ["400 Bad Request"] },
];

for (const { name, send, want } of answers) {
  test(name, async () => {
    await using server = await serve();
    const answer = await server.talk(send, { halfClose: false });
    for (const part of want) expect(answer).toContain(part);
  });
}

test("requests on one connection are answered in turn, an unread body in between skipped", async () => {
  await using server = await serve();
  const first = "POST /ignore HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde";
  const answer = await server.talk(first + request("GET /name/second/json"), { halfClose: false });
  expect(answer).toStartWith("HTTP/1.1 204 No Content\r\n");
  expect(answer).toContain('{"name":"second"}');
});

const UPGRADE = "Upgrade: tcp\r\nConnection: Upgrade\r\n";

test("an upgraded connection carries bytes both ways after the half-close, the first ones included", async () => {
  await using server = await serve();
  const answer = await server.talk(`POST /v1.42/attach HTTP/1.1\r\n${UPGRADE}\r\nearly`);
  expect(answer).toBe(
    "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello early bye",
  );
});

test("a body that a hijacking request declares is no part of the stream after it", async () => {
  await using server = await serve();
  const answer = await server.talk(`POST /attach HTTP/1.1\r\n${UPGRADE}Content-Length: 4\r\n\r\nBODYearly`);
  expect(answer).toEndWith("\r\n\r\nhello early bye");
});

test("before API 1.42 an upgraded connection is called a raw stream", async () => {
  await using server = await serve();
  const answer = await server.talk(`POST /v1.41/attach HTTP/1.1\r\n${UPGRADE}\r\n`);
  expect(answer).toContain("Content-Type: application/vnd.docker.raw-stream\r\n");
});

test("without an upgrade the connection is taken over after a plain 200", async () => {
  await using server = await serve();
  const answer = await server.talk("POST /attach HTTP/1.1\r\nContent-Length: 0\r\n\r\nearly");
  expect(answer).toBe(
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nhello early bye",
  );
});

test("a handler is told when its client goes", async () => {
  await using server = await serve();
  const socket = connect(server.path);
  socket.write("GET /wait HTTP/1.1\r\n\r\n");
  setTimeout(() => socket.destroy(), 20);
  expect(await gone.promise).toBe("gone");
});

test("the socket is its owner's alone (case 33)", async () => {
  await using server = await serve();
  expect((await stat(server.path)).mode & 0o777).toBe(0o600);
});
