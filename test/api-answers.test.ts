import { afterAll, beforeAll, expect, test } from "bun:test";
import { responseFaults } from "./api-schema.ts";
import { TestEngine } from "./engine.ts";

// What the engine answers is held against the API description, field by field.

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
  await engine.darse([
    "run",
    "-d",
    "--name",
    "lives",
    "-p",
    "127.0.0.1::80",
    "-v",
    "named:/data",
    "--health-cmd",
    "true",
    "busybox",
    "sleep",
    "1d",
  ]);
  await engine.darse(["create", "--name", "waits", "busybox", "true"]);
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

const reads: [string, string, string][] = [
  ["GET", "/version", "/version"],
  ["GET", "/info", "/info"],
  ["GET", "/containers/json", "/containers/json?all=1&size=1"],
  ["GET", "/containers/{id}/json", "/containers/lives/json?size=1"],
  ["GET", "/containers/{id}/json", "/containers/waits/json"],
  ["GET", "/images/json", "/images/json"],
  ["GET", "/images/{name}/json", "/images/busybox/json"],
  ["GET", "/images/{name}/history", "/images/busybox/history"],
  ["GET", "/volumes", "/volumes"],
  ["GET", "/volumes/{name}", "/volumes/named"],
  ["GET", "/networks", "/networks"],
  ["GET", "/networks/{id}", "/networks/bridge"],
  ["GET", "/networks/{id}", "/networks/none"],
];

for (const [method, described, path] of reads) {
  test(`${method} ${path} answers as described`, async () => {
    const { status, body } = await engine.api(method, path);
    expect(status).toBe(200);
    expect(responseFaults(method, described, status, body)).toEqual([]);
  });
}

test("creating, waiting for and removing a container answer as described", async () => {
  const created = await engine.api("POST", "/containers/create?name=brief", {
    Image: "busybox",
    Cmd: ["true"],
  });
  expect(responseFaults("POST", "/containers/create", 201, created.body)).toEqual([]);
  expect((await engine.api("POST", "/containers/brief/start")).status).toBe(204);
  const waited = await engine.api("POST", "/containers/brief/wait");
  expect(responseFaults("POST", "/containers/{id}/wait", 200, waited.body)).toEqual([]);
  expect(waited.body).toEqual({ StatusCode: 0 });
  expect((await engine.api("POST", "/containers/brief/stop")).status).toBe(304);
  expect((await engine.api("DELETE", "/containers/brief")).status).toBe(204);
});

test("exec answers as described", async () => {
  const created = await engine.api("POST", "/containers/lives/exec", { Cmd: ["true"], AttachStdout: true });
  expect(created.status).toBe(201);
  expect(responseFaults("POST", "/containers/{id}/exec", 201, created.body)).toEqual([]);
  const { Id: id } = created.body as { Id: string };
  expect((await engine.api("POST", `/exec/${id}/start`, { Detach: true })).status).toBe(200);
  const inspected = await engine.api("GET", `/exec/${id}/json`);
  expect(responseFaults("GET", "/exec/{id}/json", 200, inspected.body)).toEqual([]);
});

test("removing an image answers as described", async () => {
  expect((await engine.api("POST", "/images/busybox/tag?repo=other&tag=1")).status).toBe(201);
  const removed = await engine.api("DELETE", "/images/other:1");
  expect(responseFaults("DELETE", "/images/{name}", 200, removed.body)).toEqual([]);
  expect(removed.body).toEqual([{ Untagged: "other:1" }]);
});

test("making and pruning volumes, and pruning containers and networks, answer as described", async () => {
  const created = await engine.api("POST", "/volumes/create", { Labels: { a: "b" } });
  expect(created.status).toBe(201);
  expect(responseFaults("POST", "/volumes/create", 201, created.body)).toEqual([]);
  for (const kind of ["volumes", "containers", "networks"]) {
    const filters = encodeURIComponent(JSON.stringify({ label: ["a=b"] }));
    const { status, body } = await engine.api("POST", `/${kind}/prune?filters=${filters}`);
    expect(status).toBe(200);
    expect(responseFaults("POST", `/${kind}/prune`, 200, body)).toEqual([]);
  }
  expect((await engine.api("DELETE", "/volumes/nope?force=1")).status).toBe(204);
});

const versions = ["1.24", "1.41", "1.55"];

for (const version of versions) {
  test(`a client of API ${version} takes a container through its life`, async () => {
    const base = `/v${version}`;
    const created = await engine.api("POST", `${base}/containers/create`, {
      Image: "busybox",
      Cmd: ["sh", "-c", "echo said; exit 4"],
    });
    const { Id: id } = created.body as { Id: string };
    expect((await engine.api("POST", `${base}/containers/${id}/start`)).status).toBe(204);
    expect((await engine.api("POST", `${base}/containers/${id}/wait`)).body).toEqual({ StatusCode: 4 });
    expect((await engine.api("GET", `${base}/containers/${id}/logs?stdout=1`)).text).toContain("said\n");
    expect((await engine.api("DELETE", `${base}/containers/${id}`)).status).toBe(204);
  });
}

const refusals: [string, string, string, object | undefined, number, RegExp][] = [
  [
    "a container that is not there",
    "GET",
    "/containers/nope/json",
    undefined,
    404,
    /^No such container: nope$/,
  ],
  ["starting it", "POST", "/containers/nope/start", undefined, 404, /^No such container: nope$/],
  ["removing it", "DELETE", "/containers/nope", undefined, 404, /^No such container: nope$/],
  ["an image that is not there", "GET", "/images/nope/json", undefined, 404, /^No such image: nope:latest$/],
  ["a container of it", "POST", "/containers/create", { Image: "nope" }, 404, /^No such image: nope:latest$/],
  [
    "a bad name",
    "POST",
    "/containers/create?name=a/b",
    { Image: "busybox" },
    400,
    /Invalid container name \(a\/b\)/,
  ],
  [
    "a taken name",
    "POST",
    "/containers/create?name=lives",
    { Image: "busybox" },
    409,
    /^Conflict\. The container name "\/lives" is already in use by container/,
  ],
  ["a field of the wrong type", "POST", "/containers/create", { Image: "busybox", Cmd: 5 }, 400, /Cmd/],
  [
    "too little memory",
    "POST",
    "/containers/create",
    { Image: "busybox", HostConfig: { Memory: 1024 } },
    400,
    /Minimum memory limit allowed is 6MB/,
  ],
  [
    "removing what runs",
    "DELETE",
    "/containers/lives",
    undefined,
    409,
    /container is running: stop the container before removing or force remove/,
  ],
  [
    "removing an image in use",
    "DELETE",
    "/images/busybox",
    undefined,
    409,
    /conflict: unable to delete busybox/,
  ],
  [
    "an exec in what does not run",
    "POST",
    "/containers/waits/exec",
    { Cmd: ["true"] },
    409,
    /is not running/,
  ],
  ["an exec that is not there", "POST", "/exec/nope/start", {}, 404, /No such exec instance: nope/],
  [
    "logs of neither stream",
    "GET",
    "/containers/lives/logs",
    undefined,
    400,
    /must choose at least one stream/,
  ],
  ["killing what does not run", "POST", "/containers/waits/kill", undefined, 409, /is not running/],
  [
    "a signal that is none",
    "POST",
    "/containers/lives/kill?signal=NOPE",
    undefined,
    400,
    /[Ii]nvalid signal: NOPE/,
  ],
  [
    "a bad filter",
    "GET",
    "/containers/json?filters=%7B%22nope%22%3A%5B%22x%22%5D%7D",
    undefined,
    400,
    /invalid filter 'nope'/,
  ],
  ["a volume that is not there", "GET", "/volumes/nope", undefined, 404, /^get nope: no such volume$/],
  ["removing it", "DELETE", "/volumes/nope", undefined, 404, /^get nope: no such volume$/],
  [
    "removing a volume in use",
    "DELETE",
    "/volumes/named",
    undefined,
    409,
    /^remove named: volume is in use - \[[0-9a-f]{64}\]$/,
  ],
  ["a volume's bad name", "POST", "/volumes/create", { Name: "../x" }, 400, /includes invalid characters/],
  ["an unknown driver", "POST", "/volumes/create", { Driver: "nfs" }, 404, /plugin "nfs" not found/],
  ["a cluster volume", "POST", "/volumes/create", { ClusterVolumeSpec: {} }, 503, /not a swarm manager/],
  [
    "a claim that is none",
    "GET",
    "/volumes?filters=%7B%22dangling%22%3A%5B%22x%22%5D%7D",
    undefined,
    400,
    /invalid filter 'dangling=\[x\]'/,
  ],
  ["a network that is not there", "GET", "/networks/nope", undefined, 404, /^network nope not found/],
  ["removing a predefined network", "DELETE", "/networks/host", undefined, 403, /pre-defined network/],
  [
    "a network across hosts",
    "POST",
    "/networks/create",
    { Name: "x", Driver: "overlay" },
    403,
    /not a swarm manager/,
  ],
  [
    "a bad reference as a tag",
    "POST",
    "/images/busybox/tag?repo=UPPER",
    undefined,
    400,
    /repository name .* must be lowercase/,
  ],
];

for (const [what, method, path, body, status, message] of refusals) {
  test(`${what} is refused with ${status}`, async () => {
    const answer = await engine.api(method, path, body);
    expect(answer.status).toBe(status);
    expect((answer.body as { message: string }).message).toMatch(message);
  });
}
