import { expect, test } from "bun:test";
import type { ContainerSummary } from "#api/containers.ts";
import type { ImageSummary } from "#api/images.ts";
import { encodeFrame } from "#api/stdcopy.ts";
import { fakeWorld, runInWorld } from "../_testing/fake-context.ts";
import { FakeEngine } from "../_testing/fake-engine.ts";
import { eventLine, events } from "./events.ts";
import { exec } from "./exec.ts";
import { images } from "./images.ts";
import { inspect } from "./inspect.ts";
import { logs } from "./logs.ts";
import { port } from "./port.ts";
import { ps } from "./ps.ts";
import { rm } from "./rm.ts";
import { rmi } from "./rmi.ts";
import { stop } from "./stop.ts";
import { tag } from "./tag.ts";
import { version } from "./version.ts";
import { wait } from "./wait.ts";

const container: ContainerSummary = {
  Id: "0123456789abcdef".repeat(4),
  Names: ["/web", "/other/alias"],
  Image: "nginx",
  ImageID: `sha256:${"b".repeat(64)}`,
  Command: '/docker-entrypoint.sh nginx -g "daemon off;"',
  Created: Date.parse("2026-01-01T11:58:00Z") / 1000,
  Ports: [
    { IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" },
    { PrivatePort: 443, Type: "tcp" },
  ],
  Labels: { app: "web" },
  State: "running",
  Status: "Up 2 minutes",
  SizeRw: 2,
  SizeRootFs: 1_000_000,
  HostConfig: { NetworkMode: "bridge" },
  NetworkSettings: { Networks: {} },
  Mounts: [],
};

test("ps prints Docker's table", async () => {
  await using engine = await FakeEngine.open({ "GET /containers/json": () => ({ json: [container] }) });
  const world = fakeWorld(engine.client);
  expect(await runInWorld(ps, [], world)).toBe(0);
  expect(world.out.text).toBe(
    `CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS         PORTS                           NAMES
0123456789ab   nginx     "/docker-entrypoint.…"   2 minutes ago   Up 2 minutes   443/tcp, 0.0.0.0:8080->80/tcp   web
`,
  );
});

const psFlags: [string[], Record<string, string>, string][] = [
  [["-q"], { all: "0", size: "0" }, "0123456789ab\n"],
  [["-aq", "--no-trunc"], { all: "1" }, `${container.Id}\n`],
  [["-l", "--format", "{{.Names}} {{.Size}}"], { all: "1", limit: "1", size: "1" }, "web 2B (virtual 1MB)\n"],
  [
    ["-n", "3", "-f", "status=exited", "-f", "label=a=b", "--format", '{{.Label "app"}}'],
    { limit: "3", filters: '{"status":["exited"],"label":["a=b"]}' },
    "web\n",
  ],
];
for (const [argv, query, output] of psFlags) {
  test(`ps ${argv.join(" ")}`, async () => {
    await using engine = await FakeEngine.open({ "GET /containers/json": () => ({ json: [container] }) });
    const world = fakeWorld(engine.client);
    await runInWorld(ps, argv, world);
    expect(Object.fromEntries(engine.seen[0]?.query ?? [])).toMatchObject(query);
    expect(world.out.text).toBe(output);
  });
}

const image: ImageSummary = {
  Id: `sha256:${"a".repeat(64)}`,
  ParentId: "",
  RepoTags: ["nginx:latest", "host:5000/web:v1"],
  RepoDigests: ["nginx@sha256:d1", "other@sha256:d2"],
  Created: Date.parse("2025-12-01T12:00:00Z") / 1000,
  Size: 187_654_321,
  SharedSize: -1,
  Labels: null,
  Containers: -1,
};

test("images has a row for each name, Docker's columns, and with -a the nameless", async () => {
  await using engine = await FakeEngine.open({
    "GET /images/json": () => ({ json: [image, { ...image, RepoTags: [], RepoDigests: [], Created: 0 }] }),
  });
  const world = fakeWorld(engine.client);
  await runInWorld(images, ["-a"], world);
  expect(world.out.text).toBe(
    `REPOSITORY      TAG       IMAGE ID       CREATED       SIZE
nginx           latest    aaaaaaaaaaaa   4 weeks ago   188MB
host:5000/web   v1        aaaaaaaaaaaa   4 weeks ago   188MB
other           <none>    aaaaaaaaaaaa   4 weeks ago   188MB
<none>          <none>    aaaaaaaaaaaa   N/A           188MB
`,
  );
});

const danglingShown: [string[], number][] = [
  [["-q"], 3],
  [["-aq"], 4],
  [["-q", "--filter", "dangling=true"], 4],
  [["-q", "--filter", "dangling=false"], 3],
];
for (const [argv, count] of danglingShown) {
  test(`images ${argv.join(" ")} has ${count} rows of four`, async () => {
    await using engine = await FakeEngine.open({
      "GET /images/json": () => ({ json: [image, { ...image, RepoTags: [], RepoDigests: [] }] }),
    });
    const world = fakeWorld(engine.client);
    await runInWorld(images, argv, world);
    expect(world.out.text.trim().split("\n")).toHaveLength(count);
  });
}

test("images NAME filters by reference, --digests adds its column", async () => {
  await using engine = await FakeEngine.open({ "GET /images/json": () => ({ json: [image] }) });
  const world = fakeWorld(engine.client);
  await runInWorld(images, ["--digests", "nginx"], world);
  expect(engine.seen[0]?.query.get("filters")).toBe('{"reference":["nginx"]}');
  expect(world.out.text.split("\n")[1]).toBe(
    "nginx           latest    sha256:d1   aaaaaaaaaaaa   4 weeks ago   188MB",
  );
});

test("commands of many go on after one fails; names in order, failures after, exit code 1", async () => {
  await using engine = await FakeEngine.open({
    "POST /containers/a/stop": () => ({ status: 204 }),
    "POST /containers/b/stop": () => ({
      status: 404,
      json: { message: "No such container: b\ndarse ps -a" },
    }),
    "POST /containers/c/stop": () => ({ status: 304 }),
  });
  const world = fakeWorld(engine.client);
  expect(await runInWorld(stop, ["-t", "3", "a", "b", "c"], world)).toBe(1);
  expect(world.out.text).toBe("a\nc\n");
  expect(world.error.text).toBe("Error response from daemon: No such container: b\ndarse ps -a\n");
  expect(engine.seen[0]?.query.get("t")).toBe("3");
});

test("rm -f of what is gone is no failure", async () => {
  await using engine = await FakeEngine.open({
    "DELETE /containers/x": () => ({ status: 404, json: { message: "No such container: x" } }),
  });
  const world = fakeWorld(engine.client);
  expect(await runInWorld(rm, ["-fv", "x"], world)).toBe(0);
  expect(world.error.text).toContain("No such container: x");
  expect(Object.fromEntries(engine.seen[0]?.query ?? [])).toEqual({ force: "1", v: "1", link: "0" });
  expect(await runInWorld(rm, ["x"], fakeWorld(engine.client))).toBe(1);
});

test("rmi prints what was untagged and deleted", async () => {
  await using engine = await FakeEngine.open({
    "DELETE /images/a:b": () => ({ json: [{ Untagged: "a:b" }, { Deleted: "sha256:1" }] }),
  });
  const world = fakeWorld(engine.client);
  expect(await runInWorld(rmi, ["a:b"], world)).toBe(0);
  expect(world.out.text).toBe("Untagged: a:b\nDeleted: sha256:1\n");
});

test("rmi goes on after a failure; with -f what is not there is none", async () => {
  await using engine = await FakeEngine.open({
    "DELETE /images/a": () => ({ status: 404, json: { message: "No such image: a:latest" } }),
    "DELETE /images/b": () => ({ json: [{ Untagged: "b:latest" }] }),
    "DELETE /images/c": () => ({ status: 409, json: { message: "conflict: c is in use" } }),
  });
  const outcomes: [string[], number][] = [
    [["a", "b"], 1],
    [["-f", "a", "b"], 0],
    [["-f", "a", "b", "c"], 1],
  ];
  for (const [argv, code] of outcomes) {
    const world = fakeWorld(engine.client);
    expect(await runInWorld(rmi, argv, world)).toBe(code);
    expect(world.out.text).toBe("Untagged: b:latest\n");
    expect(world.error.text).toStartWith("Error response from daemon: No such image: a:latest\n");
  }
});

test("tag sends repository and tag apart", async () => {
  await using engine = await FakeEngine.open({ "POST /images/a/tag": () => ({ status: 201 }) });
  await runInWorld(tag, ["a", "host:5000/b/c:v1"], fakeWorld(engine.client));
  expect(Object.fromEntries(engine.seen[0]?.query ?? [])).toEqual({ repo: "host:5000/b/c", tag: "v1" });
});

test("wait prints exit codes", async () => {
  await using engine = await FakeEngine.open({
    "POST /containers/a/wait": () => ({ json: { StatusCode: 137 } }),
  });
  const world = fakeWorld(engine.client);
  expect(await runInWorld(wait, ["a"], world)).toBe(0);
  expect(world.out.text).toBe("137\n");
});

test("port lists all, or answers for one", async () => {
  const Ports = {
    "80/tcp": [
      { HostIp: "0.0.0.0", HostPort: "8080" },
      { HostIp: "::", HostPort: "8080" },
    ],
    "90/tcp": null,
  };
  await using engine = await FakeEngine.open({
    "GET /containers/a/json": () => ({ json: { NetworkSettings: { Ports } } }),
  });
  const world = fakeWorld(engine.client);
  await runInWorld(port, ["a"], world);
  await runInWorld(port, ["a", "80"], world);
  expect(world.out.text).toBe("80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n0.0.0.0:8080\n[::]:8080\n");
  expect(runInWorld(port, ["a", "90"], world)).rejects.toThrow("no public port '90' published for a");
});

test("inspect finds containers before images, and prints what it found although something is missing", async () => {
  await using engine = await FakeEngine.open({
    "GET /containers/a/json": () => ({ json: { Id: "1", State: { Running: true } } }),
    "GET /images/b/json": () => ({ json: { Id: "2" } }),
  });
  const world = fakeWorld(engine.client);
  expect(await runInWorld(inspect, ["a", "b", "c"], world)).toBe(1);
  expect(JSON.parse(world.out.text)).toEqual([{ Id: "1", State: { Running: true } }, { Id: "2" }]);
  expect(world.out.text).toContain('\n    {\n        "Id": "1"');
  expect(world.error.text).toBe("Error: No such object: c\n");
  const other = fakeWorld(engine.client);
  expect(await runInWorld(inspect, ["-f", "{{.State.Running}} {{.ID}}", "a"], other)).toBe(0);
  expect(other.out.text).toBe("true 1\n");
});

test("logs takes frames apart, and passes times on as seconds", async () => {
  await using engine = await FakeEngine.open({
    "GET /containers/a/json": () => ({ json: { Id: "a1", Config: { Tty: false } } }),
    "GET /containers/a1/logs": () => ({ status: 404, json: { message: "gone" } }),
  });
  const world = fakeWorld(engine.client);
  expect(runInWorld(logs, ["-f", "--since", "10m", "-n", "5", "a"], world)).rejects.toThrow("gone");
  await Bun.sleep(0);
  while (engine.seen.length < 2) await Bun.sleep(1);
  expect(Object.fromEntries(engine.seen[1]?.query ?? [])).toMatchObject({
    stdout: "1",
    stderr: "1",
    follow: "1",
    tail: "5",
    since: `${Date.parse("2026-01-01T11:50:00Z") / 1000}.000000000`,
  });
});

test("exec: the exit code comes from inspect", async () => {
  await using engine = await FakeEngine.open(
    {
      "POST /containers/a/exec": () => ({ status: 201, json: { Id: "e1" } }),
      "GET /exec/e1/json": () => ({ json: { ExitCode: 5 } }),
    },
    {
      "POST /exec/e1/start": (socket) =>
        void socket.end(encodeFrame("stdout", new TextEncoder().encode("hi"))),
    },
  );
  const world = fakeWorld(engine.client);
  expect(await runInWorld(exec, ["-e", "A=1", "-w", "/x", "a", "ls", "-l"], world)).toBe(5);
  expect(world.out.text).toBe("hi");
  expect(JSON.parse(String(engine.seen[0]?.body))).toMatchObject({
    Cmd: ["ls", "-l"],
    Env: ["A=1"],
    WorkingDir: "/x",
  });
});

test("exec -d starts and leaves", async () => {
  await using engine = await FakeEngine.open({
    "POST /containers/a/exec": () => ({ status: 201, json: { Id: "e1" } }),
    "POST /exec/e1/start": () => ({ status: 200 }),
  });
  expect(await runInWorld(exec, ["-d", "a", "ls"], fakeWorld(engine.client))).toBe(0);
  expect(JSON.parse(String(engine.seen[1]?.body))).toMatchObject({ Detach: true });
});

const event = {
  Type: "container",
  Action: "start",
  Actor: { ID: "abc", Attributes: { name: "web", image: "nginx" } },
  scope: "local" as const,
  time: 1767225600,
  timeNano: 1767225600.123456 * 1e9,
};

test("an event is one line with its attributes sorted", () => {
  expect(eventLine(event)).toBe("2026-01-01T00:00:00.123456000Z container start abc (image=nginx, name=web)");
});

test("events prints each as it comes, or by a template", async () => {
  await using engine = await FakeEngine.open({ "GET /events": () => ({ lines: [event, event] }) });
  const world = fakeWorld(engine.client);
  await runInWorld(events, ["--format", "{{.Action}} {{.Actor.ID}}", "--filter", "type=container"], world);
  expect(world.out.text).toBe("start abc\nstart abc\n");
});

test("version prints the client when no engine answers, and fails", async () => {
  await using engine = await FakeEngine.open({});
  const world = fakeWorld(engine.client);
  expect(await runInWorld(version, [], world)).toBe(1);
  expect(world.out.text).toStartWith("Client:\n Version:");
  expect(world.error.text).toContain("page not found");
});
