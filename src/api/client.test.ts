import { afterEach, expect, test } from "bun:test";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { EngineError } from "#base/errors.ts";
import { ApiError } from "./api-error.ts";
import { EngineClient } from "./client.ts";
import { type Dial, dial, dialBun, dialNode } from "./dial.ts";
import { ApiVersion } from "./version.ts";

// The client against a real HTTP server on a unix socket, by both ways of connecting.

const open: { server: Server; folder: string }[] = [];

afterEach(() => {
  for (const { server, folder } of open.splice(0)) {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
});

async function serve(
  handle: RequestListener,
  upgrade?: (socket: Duplex, head: Buffer, url: string) => void,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "darse-client-"));
  const server = createServer(handle);
  if (upgrade) server.on("upgrade", (request, socket, head) => upgrade(socket, head, request.url ?? ""));
  open.push({ server, folder });
  server.listen(join(folder, "s"));
  await once(server, "listening");
  return join(folder, "s");
}

const dials: [string, Dial][] = [
  ["Bun", dialBun],
  ["Node", dialNode],
];

for (const [name, one] of dials) {
  const clientOf = (path: string, apiVersion?: ApiVersion): EngineClient =>
    new EngineClient({ host: { kind: "unix", path }, dial: one, apiVersion });

  test(`[${name}] a list is asked for without version, filters as JSON`, async () => {
    let url = "";
    const path = await serve((request, response) => {
      url = request.url ?? "";
      response.end('[{"Id":"x"}]\n');
    });
    const found = await clientOf(path).listContainers(
      { all: true, limit: undefined },
      { status: ["exited"] },
    );
    expect(found.map(({ Id }) => Id)).toEqual(["x"]);
    expect(url).toBe(`/containers/json?all=1&filters=${encodeURIComponent('{"status":["exited"]}')}`);
  });

  test(`[${name}] a pinned version stands before the path`, async () => {
    let url = "";
    const path = await serve((request, response) => {
      url = request.url ?? "";
      response.end("{}");
    });
    await clientOf(path, new ApiVersion(1, 41)).system.version();
    expect(url).toBe("/v1.41/version");
  });

  test(`[${name}] an error has the engine's message, hint included, and its kind by the status`, async () => {
    const path = await serve((_, response) => {
      response.writeHead(404, { "Content-Type": "application/json" });
      response.end('{"message":"No such container: x\\ndarse ps -a"}\n');
    });
    const error = await clientOf(path)
      .startContainer("x")
      .catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(ApiError);
    expect(EngineError.is(error, "not-found")).toBe(true);
    expect(error).toMatchObject({ message: "No such container: x\ndarse ps -a", status: 404 });
  });

  test(`[${name}] 304 is success that says so`, async () => {
    const path = await serve((_, response) => void response.writeHead(304).end());
    expect(await clientOf(path).stopContainer("x", {})).toBe("not-modified");
  });

  test(`[${name}] JSON goes up with its length and type`, async () => {
    let body = "";
    let type: string | undefined;
    const path = await serve(async (request, response) => {
      type = request.headers["content-type"];
      for await (const chunk of request) body += String(chunk);
      response.writeHead(201).end('{"Id":"abc","Warnings":[]}');
    });
    const created = await clientOf(path).createContainer({ Image: "é" }, { name: "web" });
    expect(created.Id).toBe("abc");
    expect([type, body]).toEqual(["application/json", '{"Image":"é"}']);
  });

  test(`[${name}] progress arrives line by line, and a large body goes up while it does`, async () => {
    let received = 0;
    const path = await serve(async (request, response) => {
      response.write('{"status":"begin"}\n');
      for await (const chunk of request) received += (chunk as Uint8Array).length;
      response.end(`{"stream":"got ${received}"}\n`);
    });
    async function* body(): AsyncGenerator<Uint8Array, void> {
      for (let i = 0; i < 64; i++) yield new Uint8Array(128 * 1024);
    }
    const messages = await Array.fromAsync(clientOf(path).images.load({}, body()));
    expect(messages).toEqual([{ status: "begin" }, { stream: `got ${64 * 128 * 1024}` }]);
  });

  test(`[${name}] a server that refuses in the middle of an upload is heard`, async () => {
    const path = await serve((request, response) => {
      request.once("data", () => {
        response.writeHead(400).end('{"message":"bad tar"}');
        request.destroy();
      });
    });
    async function* endless(): AsyncGenerator<Uint8Array, void> {
      for (;;) yield new Uint8Array(64 * 1024);
    }
    expect(Array.fromAsync(clientOf(path).images.build({}, endless()))).rejects.toThrow(EngineError);
  });

  test(`[${name}] a body that cannot be read ends the call with its own error`, async () => {
    const path = await serve((request) => void request.resume());
    async function* broken(): AsyncGenerator<Uint8Array, void> {
      yield new Uint8Array(10);
      throw new Error("disk is gone");
    }
    expect(Array.fromAsync(clientOf(path).images.build({}, broken()))).rejects.toThrow("disk is gone");
  });

  test(`[${name}] a large answer is read under back-pressure`, async () => {
    const path = await serve((_, response) => {
      for (let i = 0; i < 100; i++) response.write(Buffer.alloc(100_000, 65));
      response.end();
    });
    let size = 0;
    for await (const chunk of clientOf(path).images.save(["a"], [])) {
      size += chunk.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(size).toBe(10_000_000);
  });

  test(`[${name}] a hijacked stream is half-closed by us and goes on`, async () => {
    const path = await serve(
      () => undefined,
      (socket) => {
        socket.write(
          "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst ",
        );
        let text = "";
        socket.on("data", (chunk) => {
          text += String(chunk);
        });
        socket.on("end", () => socket.end(`you said ${text}`));
      },
    );
    const stream = await clientOf(path).attachContainer("x", { stdin: true });
    await stream.write(new TextEncoder().encode("hello"));
    stream.endInput();
    const output = Buffer.concat(await Array.fromAsync(stream.output)).toString();
    expect(output).toBe("first you said hello");
    expect(stream.isFramed).toBe(true);
    stream.close();
  });

  test(`[${name}] a hijacked stream whose output has ended still takes input`, async () => {
    const heard = Promise.withResolvers<string>();
    const path = await serve(
      () => undefined,
      (socket) => {
        socket.write("HTTP/1.1 101 UPGRADED\r\n\r\n");
        socket.end("done");
        socket.on("data", (chunk) => heard.resolve(String(chunk)));
      },
    );
    const stream = await clientOf(path).attachContainer("x", { stdin: true });
    expect(Buffer.concat(await Array.fromAsync(stream.output)).toString()).toBe("done");
    await stream.write(new TextEncoder().encode("late"));
    expect(await heard.promise).toBe("late");
    stream.close();
  });

  test(`[${name}] wait resolves when the headers are there, its result when the body is`, async () => {
    const ended = Promise.withResolvers<void>();
    const path = await serve((_, response) => {
      response.flushHeaders();
      void ended.promise.then(() => response.end('{"StatusCode":3}'));
    });
    const { result } = await clientOf(path).waitContainer("x", "next-exit");
    ended.resolve();
    expect(await result).toEqual({ StatusCode: 3 });
  });

  test(`[${name}] an aborted call ends with the reason`, async () => {
    const path = await serve((_, response) => response.flushHeaders());
    const abort = new AbortController();
    const { result } = await clientOf(path).waitContainer("x", "next-exit", abort.signal);
    abort.abort(new Error("enough"));
    expect(result).rejects.toThrow("enough");
  });

  test(`[${name}] a name from the command line stays one segment of the path`, async () => {
    const urls: string[] = [];
    const path = await serve((request, response) => {
      urls.push(request.url ?? "");
      response.end("{}");
    });
    await clientOf(path).inspectContainer("../images/x?y");
    await clientOf(path).inspectContainer("..");
    await clientOf(path).images.inspect("host:5000/a/b@sha256:00");
    expect(urls).toEqual([
      "/containers/..%2Fimages%2Fx%3Fy/json",
      "/containers/%2E%2E/json",
      "/images/host:5000/a/b@sha256:00/json",
    ]);
  });
}

test("nothing listening is unavailable, by the name of the socket", async () => {
  const missing = dial({ kind: "unix", path: "/tmp/darse-no-such.sock" }).catch((error: unknown) => error);
  const error = await missing;
  expect(EngineError.is(error, "unavailable")).toBe(true);
  expect(String(error)).toContain(
    "Cannot connect to the engine at unix:///tmp/darse-no-such.sock: there is no such socket",
  );
});
