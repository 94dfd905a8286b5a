import { createConnection } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { Fields } from "#base/decode.ts";
import { silentLogger } from "#base/log.ts";
import { openSmallWorld, type SmallWorld } from "../../container/_fixtures/small-world.ts";
import { ApiServer } from "../http/api-server.ts";
import { containerRoutes } from "./containers.ts";
import { execRoutes } from "./exec.ts";

interface Served extends AsyncDisposable {
  readonly world: SmallWorld;
  call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown; type: string | null }>;
  readonly socket: string;
}

async function serve(): Promise<Served> {
  const world = await openSmallWorld();
  const folder = mkdtempSync(join(tmpdir(), "darse-routes-"));
  const socket = join(folder, "socket");
  const { containers } = world;
  const routes = [
    ...containerRoutes({ containers, clock: () => 1_000_000 }),
    ...execRoutes(containers.execs),
  ];
  const server = new ApiServer(routes, silentLogger);
  await server.listen(socket);
  return {
    world,
    socket,
    async call(method, path, body) {
      const response = await fetch(`http://docker${path}`, {
        unix: socket,
        method,
        ...(body !== undefined && {
          body: JSON.stringify(body),
          headers: { "Content-Type": "application/json" },
        }),
      });
      const text = await response.text();
      const isJson = text.startsWith("{") || text.startsWith("[");
      const answer: unknown = isJson ? JSON.parse(text) : text;
      return { status: response.status, body: answer, type: response.headers.get("content-type") };
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      world[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

const BUSYBOX = { Image: "busybox", Cmd: ["run"] };

async function make(served: Served, host: object = {}, query = "?name=web"): Promise<string> {
  const { body } = await served.call("POST", `/containers/create${query}`, {
    ...BUSYBOX,
    HostConfig: { NetworkMode: "none", ...host },
  });
  return new Fields(body).string("Id") ?? "";
}

/** Each on a fresh engine with a created container `web` (started where `up`). Statuses and texts of Docker. */
const answers: [
  name: string,
  up: boolean,
  method: string,
  path: string,
  status: number,
  message: string | undefined,
][] = [
  ["inspect of nothing", false, "GET", "/containers/nope/json", 404, "No such container: nope"],
  ["start", false, "POST", "/containers/web/start", 204, undefined],
  ["start again", true, "POST", "/containers/web/start", 304, undefined],
  ["stop", true, "POST", "/containers/web/stop?t=1", 204, undefined],
  ["stop again", false, "POST", "/containers/web/stop", 304, undefined],
  ["stop by a bad signal", true, "POST", "/containers/web/stop?signal=NOPE", 400, "invalid signal: NOPE"],
  ["kill", true, "POST", "/containers/web/kill", 204, undefined],
  ["kill of what does not run", false, "POST", "/containers/web/kill", 409, undefined],
  ["pause", true, "POST", "/containers/web/pause", 204, undefined],
  ["unpause of what is not paused", true, "POST", "/containers/web/unpause", 500, undefined],
  [
    "rename without a name",
    false,
    "POST",
    "/containers/web/rename?name=",
    400,
    "Neither old nor new names may be empty",
  ],
  ["resize without a size", true, "POST", "/containers/web/resize", 400, 'invalid resize height ""'],
  [
    "resize to a negative size",
    true,
    "POST",
    "/containers/web/resize?h=-1&w=2",
    400,
    'invalid resize height "-1"',
  ],
  ["resize", true, "POST", "/containers/web/resize?h=24&w=80", 200, undefined],
  ["wait for the unknown", false, "POST", "/containers/web/wait?condition=x", 400, 'invalid condition: "x"'],
  ["wait for nothing", false, "POST", "/containers/nope/wait", 404, "No such container: nope"],
  [
    "logs of no stream",
    false,
    "GET",
    "/containers/web/logs",
    400,
    "Bad parameters: you must choose at least one stream",
  ],
  ["logs", false, "GET", "/containers/web/logs?stdout=1", 200, undefined],
  ["removal while it runs", true, "DELETE", "/containers/web", 409, undefined],
  ["removal by force", true, "DELETE", "/containers/web?force=1", 204, undefined],
  [
    "an unknown filter",
    false,
    "GET",
    "/containers/json?filters=%7B%22x%22%3A%5B%22y%22%5D%7D",
    400,
    "invalid filter 'x'",
  ],
  ["filters that are no JSON", false, "GET", "/containers/json?filters=x", 400, "invalid filter"],
  ["prune", false, "POST", "/containers/prune", 200, undefined],
  ["inspect of no exec", false, "GET", "/exec/nope/json", 404, "No such exec instance: nope"],
];

for (const [name, up, method, path, status, message] of answers) {
  test(`${name} is ${status}${message === undefined ? "" : `: ${message}`}`, async () => {
    await using served = await serve();
    await make(served);
    if (up) await served.call("POST", "/containers/web/start");
    const answer = await served.call(method, path);
    expect(answer.status).toBe(status);
    if (message !== undefined) expect(answer.body).toMatchObject({ message });
  });
}

const creations: [string, unknown, number, string | undefined][] = [
  ["no body", undefined, 400, "config cannot be empty in order to create a container"],
  ["an unknown image", { Image: "nope" }, 404, "No such image: nope"],
  [
    "a field of the wrong type",
    { Image: "busybox", Env: "A=1" },
    400,
    "Cannot read Env: it must be an array, found a string",
  ],
  ["a bad name", BUSYBOX, 400, "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"],
];
for (const [name, body, status, message] of creations) {
  test(`create with ${name} is ${status}`, async () => {
    await using served = await serve();
    const query = name === "a bad name" ? "?name=a%20b" : "";
    expect(await served.call("POST", `/containers/create${query}`, body)).toMatchObject({
      status,
      body: { message },
    });
  });
}

test("create answers 201 with the id and an array of warnings; inspect shows what was asked", async () => {
  await using served = await serve();
  const { status, body } = await served.call("POST", "/containers/create?name=web", {
    ...BUSYBOX,
    env: ["A=1"],
    Labels: { a: "b" },
    HostConfig: {
      NetworkMode: "none",
      Memory: 67_108_864,
      Binds: ["vol:/data:ro"],
      RestartPolicy: { Name: "always" },
    },
  });
  expect(status).toBe(201);
  expect(body).toMatchObject({ Warnings: expect.any(Array) });
  const inspect = (await served.call("GET", "/containers/web/json")).body;
  expect(inspect).toMatchObject({
    Name: "/web",
    Path: "run",
    Args: [],
    State: { Status: "created", Running: false, ExitCode: 0, StartedAt: "0001-01-01T00:00:00Z" },
    Config: { Env: ["A=1"], Labels: { a: "b" }, Image: "busybox" },
    HostConfig: {
      NetworkMode: "none",
      Memory: 67_108_864,
      MemorySwap: 134_217_728,
      RestartPolicy: { Name: "always", MaximumRetryCount: 0 },
      ShmSize: 67_108_864,
      LogConfig: { Type: "json-file", Config: {} },
      IpcMode: "private",
    },
    Mounts: [{ Type: "volume", Name: "vol", Destination: "/data", RW: false }],
    NetworkSettings: { Networks: { none: { NetworkID: "none" } }, Ports: {} },
  });
});

test("before API 1.52 the addresses of the bridge stand at top level too", async () => {
  await using served = await serve();
  await make(served);
  const settings = async (version: string): Promise<Fields> =>
    new Fields((await served.call("GET", `/v${version}/containers/web/json`)).body).object("NetworkSettings");
  expect((await settings("1.51")).has("IPAddress")).toBe(true);
  expect((await settings("1.52")).has("IPAddress")).toBe(false);
});

test("the list shows running ones, all of them with all=1, newest first", async () => {
  await using served = await serve();
  await make(served);
  await make(served, {}, "?name=other");
  await served.call("POST", "/containers/other/start");
  expect((await served.call("GET", "/containers/json")).body).toMatchObject([
    {
      Names: ["/other"],
      State: "running",
      Status: "Up Less than a second",
      Command: "run",
      Image: "busybox",
    },
  ]);
  expect((await served.call("GET", "/containers/json?all=1")).body).toHaveLength(2);
});

test("wait sends its head before the container starts, and its body when it ends", async () => {
  await using served = await serve();
  const id = await make(served);
  const response = await fetch(`http://docker/containers/${id}/wait?condition=next-exit`, {
    unix: served.socket,
    method: "POST",
  });
  expect(response.status).toBe(200);
  await served.call("POST", `/containers/${id}/start`);
  served.world.exit(id, 9);
  expect(await response.json()).toEqual({ StatusCode: 9 });
});

test("attach answers 101 with the type of framed output, or 200 without upgrade, before the start", async () => {
  await using served = await serve();
  await make(served);
  const upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
  const framed = "application/vnd.docker.multiplexed-stream";
  expect(await attachHead(served.socket, upgrade)).toBe(
    `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${framed}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  expect(await attachHead(served.socket, "")).toBe(
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n",
  );
});

async function attachHead(socket: string, headers: string): Promise<string> {
  const connection = createConnection(socket);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  connection.on("data", (data: Buffer) => resolve(data.toString("latin1")));
  connection.on("error", reject);
  connection.write(
    `POST /v1.45/containers/web/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n${headers}\r\n`,
  );
  try {
    return await promise;
  } finally {
    connection.destroy();
  }
}

test("an exec needs a command and a running container, runs once and keeps its exit code", async () => {
  await using served = await serve();
  const id = await make(served);
  const create = (body: object) => served.call("POST", `/containers/${id}/exec`, body);
  expect(await create({ Cmd: ["x"] })).toMatchObject({
    status: 409,
    body: { message: `container ${id} is not running` },
  });
  await served.call("POST", `/containers/${id}/start`);
  expect(await create({ Cmd: [] })).toMatchObject({
    status: 400,
    body: { message: "No exec command specified" },
  });
  const created = await create({ Cmd: ["x", "y"], User: "0" });
  expect(created.status).toBe(201);
  const exec = new Fields(created.body).string("Id") ?? "";
  expect((await served.call("GET", `/exec/${exec}/json`)).body).toMatchObject({
    Running: false,
    ExitCode: null,
    ProcessConfig: { entrypoint: "x", arguments: ["y"], user: "0" },
  });
  expect((await served.call("POST", `/exec/${exec}/start`, { Detach: true })).status).toBe(200);
  expect((await served.call("GET", `/exec/${exec}/json`)).body).toMatchObject({
    Running: false,
    ExitCode: 0,
    Pid: 0,
  });
  expect(await served.call("POST", `/exec/${exec}/start`, { Detach: true })).toMatchObject({
    status: 409,
    body: { message: `exec command ${exec} has already run` },
  });
});
