import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { silentLogger } from "#base/log.ts";
import type { ImageUser } from "#image/image.ts";
import { digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { hostPlatform } from "#oci/platform.ts";
import { responseFaults } from "../../../test/api-schema.ts";
import { FakeRegistry } from "../../../test/fixtures/fake-registry.ts";
import {
  type Contents,
  dockerArchive,
  manifestOf,
  type SampleImage,
  sampleImage,
  tarOf,
} from "../../image/_fixtures/archives.ts";
import { type OpenImages, openImages } from "../../image/_fixtures/open-images.ts";
import { ApiServer } from "../http/api-server.ts";
import { imageRoutes } from "./images.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: unknown;
  readonly bytes: Uint8Array;
}

interface Daemon extends AsyncDisposable {
  readonly store: OpenImages;
  readonly users: Map<string, readonly ImageUser[]>;
  ask(method: string, path: string, body?: Uint8Array, headers?: Record<string, string>): Promise<Answer>;
}

async function daemon(): Promise<Daemon> {
  const store = await openImages({ retryDelayMs: 1 });
  const folder = mkdtempSync(join(tmpdir(), "darse-routes-"));
  const users = new Map<string, readonly ImageUser[]>();
  const routes = imageRoutes({
    images: store.images,
    usersOf: (id) => users.get(id) ?? [],
    clock: () => Date.parse("2024-06-01T00:00:00Z"),
  });
  const server = new ApiServer(routes, silentLogger);
  const unix = join(folder, "socket");
  await server.listen(unix);
  return {
    store,
    users,
    async ask(method, path, body, headers = {}) {
      const response = await fetch(`http://docker${path}`, { unix, method, headers, ...(body && { body }) });
      const bytes = new Uint8Array(await response.arrayBuffer());
      const text = new TextDecoder().decode(bytes);
      const isJson = response.headers.get("content-type") === "application/json" && !text.includes("\r\n");
      return { status: response.status, text, bytes, body: isJson ? JSON.parse(text) : undefined };
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

const sample = (
  files: Contents,
  labels: Record<string, string> = {},
  created = "2024-01-02T03:04:05Z",
): Promise<SampleImage> =>
  sampleImage([files], {
    created,
    config: { env: ["A=b"], cmd: ["sh"], exposedPorts: ["80/tcp"], labels: new Map(Object.entries(labels)) },
  });

async function load(at: Daemon, image: SampleImage, ...tags: string[]): Promise<string> {
  const answer = await at.ask("POST", "/images/load?quiet=1", await tarOf(dockerArchive(image, tags)));
  expect(answer.status).toBe(200);
  return manifestOf(image).digest;
}

const lines = (answer: Answer): unknown[] =>
  answer.text.split("\r\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));

const filters = (value: Record<string, readonly string[]>): string =>
  `filters=${encodeURIComponent(JSON.stringify(value))}`;

test("load, list, inspect and history answer as the API description says", async () => {
  await using at = await daemon();
  const id = await load(at, await sample({ a: "1" }, { k: "v" }), "app:1", "localhost:5000/x/app:2");
  for (const [path, described] of [
    ["/images/json?shared-size=1", "/images/json"],
    ["/images/app:1/json", "/images/{name}/json"],
    ["/images/localhost:5000/x/app:2/json", "/images/{name}/json"],
    [`/images/${id}/json`, "/images/{name}/json"],
    [`/images/${id.slice(7, 19)}/history`, "/images/{name}/history"],
  ] as const) {
    const answer = await at.ask("GET", path);
    expect([path, answer.status, responseFaults("GET", described, 200, answer.body)]).toEqual([
      path,
      200,
      [],
    ]);
  }
});

// not checked against the description: it requires a field (UnpackedSize) that it does not describe, nor Docker sends
test("manifests=1 tells of each manifest of an image", async () => {
  await using at = await daemon();
  const id = await load(at, await sample({ a: "123" }), "app");
  for (const path of ["/images/app/json?manifests=1", "/images/json?manifests=1"]) {
    const { body } = await at.ask("GET", path);
    const [summary] = Array.isArray(body) ? body[0].Manifests : Object(body).Manifests;
    expect(summary).toMatchObject({
      ID: id,
      Available: true,
      Kind: "image",
      Descriptor: { digest: id },
      ImageData: { Platform: hostPlatform(), Containers: [], Size: { Unpacked: 3 } },
    });
  }
});

test("a list entry has both names, their digests, sizes and labels", async () => {
  await using at = await daemon();
  const id = await load(at, await sample({ a: "1" }, { k: "v" }), "app:1", "localhost:5000/x/app:2");
  at.users.set(id, [{ containerId: "c".repeat(64), isRunning: true }]);
  const { body } = await at.ask("GET", "/images/json");
  expect(body).toMatchObject([
    {
      Id: id,
      ParentId: "",
      RepoTags: ["app:1", "localhost:5000/x/app:2"],
      RepoDigests: [`app@${id}`, `localhost:5000/x/app@${id}`],
      Created: Date.parse("2024-01-02T03:04:05Z") / 1000,
      SharedSize: -1,
      Labels: { k: "v" },
      Containers: 1,
    },
  ]);
});

const versions: readonly (readonly [version: string, has: readonly string[], lacks: readonly string[]])[] = [
  ["1.41", ["VirtualSize", "GraphDriver", "Parent"], ["Descriptor"]],
  ["1.44", ["GraphDriver", "Parent", "Author"], ["VirtualSize", "Descriptor"]],
  ["1.51", ["GraphDriver", "Descriptor"], ["VirtualSize"]],
  ["1.52", ["Descriptor", "Metadata"], ["GraphDriver", "Parent", "Author", "Comment", "DockerVersion"]],
];
for (const [version, has, lacks] of versions) {
  test(`inspect at ${version} has ${has.join(", ")} and not ${lacks.join(", ")}`, async () => {
    await using at = await daemon();
    await load(at, await sample({ a: "1" }), "app");
    const { body } = await at.ask("GET", `/v${version}/images/app/json`);
    const keys = Object.keys(Object(body));
    expect([has.filter((key) => !keys.includes(key)), lacks.filter((key) => keys.includes(key))]).toEqual([
      [],
      [],
    ]);
  });
}

test("a dangling image has no names, before 1.43 it is called <none>", async () => {
  await using at = await daemon();
  await load(at, await sample({ a: "1" }));
  expect((await at.ask("GET", "/images/json")).body).toMatchObject([{ RepoTags: [], RepoDigests: [] }]);
  expect((await at.ask("GET", "/v1.42/images/json")).body).toMatchObject([
    { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] },
  ]);
});

const wanted: readonly (readonly [filter: Record<string, readonly string[]>, names: readonly string[]])[] = [
  [{}, ["new:1", "app:1,app:2,host.example/app:1", "<none>"]],
  [{ dangling: ["true"] }, ["<none>"]],
  [{ dangling: ["0"] }, ["new:1", "app:1,app:2,host.example/app:1"]],
  [{ label: ["k"] }, ["app:1,app:2,host.example/app:1"]],
  [{ label: ["k=v"] }, ["app:1,app:2,host.example/app:1"]],
  [{ label: ["k", "k=w"] }, []],
  [{ "label!": ["k"] }, ["new:1", "<none>"]],
  [{ reference: ["app"] }, ["app:1,app:2"]],
  [{ reference: ["*:1"] }, ["new:1", "app:1"]],
  [{ reference: ["*/*:1", "new"] }, ["new:1", "host.example/app:1"]],
  [{ before: ["new:1"] }, ["app:1,app:2,host.example/app:1", "<none>"]],
  [{ since: ["app:1"] }, ["new:1"]],
  [{ until: ["2024-02-01"] }, ["app:1,app:2,host.example/app:1", "<none>"]],
  [{ until: ["720h"] }, ["app:1,app:2,host.example/app:1", "<none>"]],
  [{ until: ["1"] }, []],
];
for (const [filter, names] of wanted) {
  test(`images filtered by ${JSON.stringify(filter)} are ${names.join(" and ") || "none"}`, async () => {
    await using at = await daemon();
    await load(at, await sample({ old: "1" }, {}, "2020-01-01T00:00:00Z"));
    await load(at, await sample({ a: "1" }, { k: "v" }), "app:1", "app:2", "host.example/app:1");
    await load(at, await sample({ n: "1" }, {}, "2024-05-20T00:00:00Z"), "new:1");
    const { body } = await at.ask("GET", `/images/json?${filters(filter)}`);
    const found = Array.isArray(body) ? body.map((image) => image.RepoTags.join(",") || "<none>") : body;
    expect(found).toEqual([...names]);
  });
}

const refusals: readonly (readonly [method: string, path: string, status: number, message: string])[] = [
  ["GET", `/images/json?${filters({ nope: ["1"] })}`, 400, "invalid filter 'nope'"],
  ["GET", `/images/json?${filters({ dangling: ["maybe"] })}`, 400, "invalid filter 'dangling=[maybe]'"],
  ["GET", "/images/json?filters=x", 400, "invalid filter"],
  ["GET", "/images/nope/json", 404, "No such image: nope:latest"],
  ["GET", "/images/nope/history", 404, "No such image: nope:latest"],
  ["GET", "/images/nope/get", 404, "No such image: nope:latest"],
  ["GET", "/images/get?names=app&names=nope", 404, "No such image: nope:latest"],
  [
    "GET",
    "/images/app/json?manifests=1&platform=%7B%7D",
    400,
    "conflicting options: manifests and platform options cannot both be set",
  ],
  ["POST", "/images/nope/tag?repo=x", 404, "No such image: nope:latest"],
  [
    "POST",
    "/images/app/tag?repo=BAD",
    400,
    "invalid reference format: repository name (library/BAD) must be lowercase",
  ],
  ["DELETE", "/images/nope", 404, "No such image: nope:latest"],
  ["POST", "/images/create", 400, "Cannot create an image: neither fromImage nor fromSrc was given"],
  ["POST", "/images/create?fromImage=scratch&tag=latest", 403, "'scratch' is a reserved name"],
  [
    "POST",
    "/images/create?fromSrc=-&repo=BAD",
    400,
    "invalid reference format: repository name (library/BAD) must be lowercase",
  ],
  [
    "POST",
    "/images/create?fromSrc=file:///etc/passwd",
    400,
    'Cannot download "file:///etc/passwd": it is no address of the web',
  ],
  ["POST", "/images/load", 400, "Cannot load the archive: it holds neither manifest.json nor an OCI layout"],
];
for (const [method, path, status, message] of refusals) {
  test(`${method} ${decodeURIComponent(path)} is ${status}: ${message}`, async () => {
    await using at = await daemon();
    await load(at, await sample({ a: "1" }), "app");
    const body = path === "/images/load" ? await tarOf({ x: "y" }) : undefined;
    const answer = await at.ask(method, path, body);
    const [first] = String(Object(answer.body).message).split("\n");
    expect([answer.status, first]).toEqual([status, message]);
  });
}

test("tag, remove and prune answer as the API description says", async () => {
  await using at = await daemon();
  const id = await load(at, await sample({ a: "1" }), "app");
  const tagged = await at.ask("POST", "/images/app/tag?repo=localhost:5000/other&tag=2");
  expect([tagged.status, tagged.text]).toEqual([201, ""]);
  const untagged = await at.ask("DELETE", "/images/app:latest");
  expect(untagged.body).toEqual([{ Untagged: "app:latest" }]);
  const removed = await at.ask("DELETE", "/images/localhost:5000/other:2?force=1");
  expect(removed.body).toEqual([{ Untagged: "localhost:5000/other:2" }, { Deleted: id }]);
  expect(responseFaults("DELETE", "/images/{name}", 200, removed.body)).toEqual([]);
  await load(at, await sample({ a: "1" }));
  const pruned = await at.ask("POST", `/images/prune?${filters({ dangling: ["true"] })}`);
  expect(pruned.body).toEqual({ ImagesDeleted: [{ Deleted: id }], SpaceReclaimed: 7 });
  expect(responseFaults("POST", "/images/prune", 200, pruned.body)).toEqual([]);
});

test("removing an image that a container uses is Docker's 409", async () => {
  await using at = await daemon();
  const id = await load(at, await sample({ a: "1" }), "app");
  at.users.set(id, [{ containerId: "c".repeat(64), isRunning: false }]);
  const answer = await at.ask("DELETE", "/images/app");
  expect([answer.status, Object(answer.body).message]).toEqual([
    409,
    `conflict: unable to delete app:latest (must be forced) - container cccccccccccc is using its referenced image ${id.slice(7, 19)}`,
  ]);
});

test("what get gives, load takes", async () => {
  await using at = await daemon();
  await using other = await daemon();
  const id = await load(at, await sample({ a: "1" }), "app:1", "b:2");
  const one = await at.ask("GET", "/images/app:1/get");
  const two = await at.ask("GET", "/images/get?names=app:1&names=b:2");
  expect(lines(await other.ask("POST", "/images/load", one.bytes))).toEqual([
    { stream: "Loaded image: app:1\n" },
  ]);
  expect(lines(await other.ask("POST", "/images/load", two.bytes))).toEqual([
    { stream: "Loaded image: app:1\n" },
    { stream: "Loaded image: b:2\n" },
  ]);
  expect(other.store.images.resolve("b:2").id).toBe(at.store.images.resolve(id).id);
});

test("import makes an image with name, message and changes, and says its id", async () => {
  await using at = await daemon();
  const path = "/images/create?fromSrc=-&repo=made&tag=3&message=hello&changes=CMD%20x&platform=linux/arm64";
  const answer = await at.ask("POST", path, await tarOf({ f: "x" }));
  const image = at.store.images.resolve("made:3");
  expect(lines(answer)).toEqual([{ status: image.id }]);
  expect([
    image.config.history[0]?.comment,
    image.config.config.cmd,
    image.config.platform.architecture,
  ]).toEqual(["hello", ["CMD x"], "arm64"]);
});

async function published(registry: FakeRegistry, image: SampleImage): Promise<void> {
  for (const blob of [image.config, ...image.layers]) registry.blob(blob);
  registry.manifest("app", manifestOf(image).bytes, { mediaType: MEDIA_TYPE.ociManifest, tag: "1" });
}

test("pull streams Docker's lines; X-Registry-Auth is understood, nonsense in it is nobody", async () => {
  await using registry = await FakeRegistry.start({ user: { name: "ann", password: "p" } });
  await using at = await daemon();
  await published(registry, await sample({ a: "1" }));
  const path = `/images/create?fromImage=${registry.host}/app&tag=1`;
  const denied = await at.ask("POST", path, undefined, { "X-Registry-Auth": "%%%" });
  expect([denied.status, Object(denied.body).message]).toEqual([
    404,
    `pull access denied for ${registry.host}/app, repository does not exist or may require 'docker login'`,
  ]);
  const auth = Buffer.from(JSON.stringify({ username: "ann", password: "p" })).toString("base64url");
  const pulled = lines(await at.ask("POST", path, undefined, { "X-Registry-Auth": auth }));
  expect(pulled[0]).toEqual({ status: "Pulling from app", id: "1" });
  expect(pulled.at(-1)).toEqual({ status: `Status: Downloaded newer image for ${registry.host}/app:1` });
});

test("a pull that fails after its first line ends with errorDetail in a 200", async () => {
  await using registry = await FakeRegistry.start();
  await using at = await daemon();
  const image = await sample({ a: "1" });
  await published(registry, { ...image, layers: [Buffer.from("not the layer")] });
  const answer = await at.ask("POST", `/images/create?fromImage=${registry.host}/app&tag=1`);
  expect(answer.status).toBe(200);
  expect(lines(answer).at(-1)).toMatchObject({ error: expect.stringContaining("Cannot pull") });
});

test("a pull by digest sent as the tag has that name", async () => {
  await using registry = await FakeRegistry.start();
  await using at = await daemon();
  const image = await sample({ a: "1" });
  await published(registry, image);
  const { digest } = manifestOf(image);
  await at.ask("POST", `/images/create?fromImage=${registry.host}/app&tag=${digest}`);
  expect((await at.ask("GET", `/images/${registry.host}/app@${digest}/json`)).body).toMatchObject({
    RepoTags: [],
    RepoDigests: [`${registry.host}/app@${digest}`],
  });
  expect(digestOf(manifestOf(image).bytes)).toBe(digest);
});
