import { expect, test } from "bun:test";
import { NEWEST_API } from "#api/version.ts";
import { EngineError } from "#base/errors.ts";
import type { PushOptions } from "#image/push.ts";
import { digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { PLAIN_SETTINGS } from "#registry/settings.ts";
import { responseFaults } from "../../../test/api-schema.ts";
import { answering, FakeRegistry } from "../../../test/fixtures/fake-registry.ts";
import type { Reply, RouteRequest } from "../http/route.ts";
import { registryRoutes } from "./registries.ts";

interface Asked {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly name?: string;
  readonly body?: unknown;
}

interface Scene {
  readonly pushed: { name: string; options: PushOptions }[];
  ask(method: string, path: string, asked?: Asked): Promise<Reply>;
}

function scene(searchIndex = PLAIN_SETTINGS.searchIndex): Scene {
  const pushed: Scene["pushed"] = [];
  const push = async (name: string, options: PushOptions): Promise<void> =>
    void pushed.push({ name, options });
  const routes = registryRoutes({ images: { push }, settings: { ...PLAIN_SETTINGS, searchIndex } });
  return {
    pushed,
    ask(method, path, { query = {}, headers = {}, name = "", body } = {}) {
      const route = routes.find((one) => one.method === method && one.path === path);
      if (!route) throw new Error(`no route ${method} ${path}`);
      const request: RouteRequest = {
        method,
        path,
        apiVersion: NEWEST_API,
        query: new URLSearchParams(query),
        headers: new Map(Object.entries(headers)),
        signal: new AbortController().signal,
        param: () => name,
        json: async () => body,
        body: none(),
        hijack: () => Promise.reject(new Error("not this")),
      };
      return route.handle(request);
    },
  };
}

async function* none(): AsyncGenerator<Uint8Array> {}

function bodyOf(reply: Reply): unknown {
  if (reply.kind !== "json") throw new Error(`expected JSON, got ${reply.kind}`);
  return reply.body;
}

async function failure(work: Promise<unknown>): Promise<EngineError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error;
  throw new Error(`expected a refusal, got ${String(error)}`);
}

const PUSH = "/images/{name...}/push";
const RESULTS = {
  num_results: 3,
  results: [
    { name: "debian", description: "Debian", star_count: 5000, is_official: true, is_automated: false },
    { name: "ann/debian", description: null, star_count: 20, is_official: false, is_automated: true },
    { name: "bob/debian", star_count: 3 },
  ],
};

async function index(): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  registry.misbehave(answering("/v1/search", JSON.stringify(RESULTS)));
  return registry;
}

test("push takes name, tag, platform and credentials", async () => {
  const at = scene();
  const auth = Buffer.from(JSON.stringify({ username: "ann", password: "x" })).toString("base64url");
  const platform = JSON.stringify({ os: "linux", architecture: "arm64" });
  await at.ask("POST", PUSH, {
    name: "a/b",
    query: { tag: "1", platform },
    headers: { "x-registry-auth": auth },
  });
  await at.ask("POST", PUSH, { name: "a/b", headers: { "x-registry-auth": "%%%" } });
  expect(at.pushed).toEqual([
    {
      name: "a/b:1",
      options: {
        platform: { os: "linux", architecture: "arm64" },
        credentials: { kind: "password", username: "ann", password: "x" },
      },
    },
    { name: "a/b", options: { platform: undefined, credentials: undefined } },
  ]);
});

test("search asks the index and answers in Docker's form", async () => {
  await using registry = await index();
  const at = scene(new URL(`http://${registry.host}/v1/`));
  const body = bodyOf(
    await at.ask("GET", "/images/search", { query: { term: "library/debian", limit: "2" } }),
  );
  expect(registry.seen.at(-1)?.path).toBe("/v1/search?q=debian&n=2");
  expect(body).toEqual([
    { name: "debian", description: "Debian", star_count: 5000, is_official: true, is_automated: false },
    { name: "ann/debian", description: "", star_count: 20, is_official: false, is_automated: false },
  ]);
  expect(responseFaults("GET", "/images/search", 200, body)).toEqual([]);
});

test("search with a host in the term asks that host", async () => {
  await using registry = await index();
  const reply = await scene().ask("GET", "/images/search", { query: { term: `${registry.host}/team/x` } });
  expect(bodyOf(reply)).toHaveLength(3);
  expect(registry.seen.at(-1)?.path).toBe("/v1/search?q=team%2Fx&n=25");
});

const filters: readonly (readonly [filters: object, names: readonly string[]])[] = [
  [{ "is-official": ["true"] }, ["debian"]],
  [{ "is-official": ["false"] }, ["ann/debian", "bob/debian"]],
  [{ stars: ["10"] }, ["debian", "ann/debian"]],
  [{ stars: ["1", "100"] }, ["debian"]],
  [{ "is-automated": ["true"] }, []],
];
for (const [given, names] of filters) {
  test(`search filtered by ${JSON.stringify(given)} gives ${names.length} results`, async () => {
    await using registry = await index();
    const at = scene(new URL(`http://${registry.host}/v1/`));
    const query = { term: "debian", filters: JSON.stringify(given) };
    const found = bodyOf(await at.ask("GET", "/images/search", { query }));
    expect(found).toMatchObject(names.map((name) => ({ name })));
  });
}

const wrong: readonly (readonly [what: string, query: Readonly<Record<string, string>>, words: string])[] = [
  ["a limit of 101", { term: "x", limit: "101" }, "limit 101 is outside the range of [1, 100]"],
  ["stars that are no number", { term: "x", filters: '{"stars":["many"]}' }, "invalid filter 'stars=many'"],
  ["an unknown filter", { term: "x", filters: '{"nope":["1"]}' }, "invalid filter 'nope'"],
  ["a scheme", { term: "https://x/y" }, "should not have a scheme"],
];
for (const [what, query, words] of wrong) {
  test(`search with ${what} is refused`, async () => {
    const error = await failure(scene().ask("GET", "/images/search", { query }));
    expect([error.kind, error.message.includes(words)]).toEqual(["invalid", true]);
  });
}

test("auth says whether the registry lets us in", async () => {
  await using registry = await FakeRegistry.start({
    user: { name: "ann", password: "secret" },
    scheme: "basic",
  });
  const login = (password: string): Promise<Reply> =>
    scene().ask("POST", "/auth", {
      body: { username: "ann", password, serveraddress: `http://${registry.host}/v1/` },
    });
  const body = bodyOf(await login("secret"));
  expect(body).toEqual({ Status: "Login Succeeded", IdentityToken: "" });
  expect(responseFaults("POST", "/auth", 200, body)).toEqual([]);
  const error = await failure(login("other"));
  expect([error.kind, error.message.endsWith("unauthorized: incorrect username or password")]).toEqual([
    "unauthorized",
    true,
  ]);
});

test("distribution inspect tells what the registry has, and for which platforms", async () => {
  await using registry = await FakeRegistry.start();
  const config = Buffer.from(
    JSON.stringify({ os: "linux", architecture: "arm64", rootfs: { diff_ids: [] } }),
  );
  const digest = registry.blob(config);
  const one = { mediaType: MEDIA_TYPE.ociConfig, digest, size: config.byteLength };
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config: one, layers: [] }));
  registry.manifest("app", manifest, { mediaType: MEDIA_TYPE.ociManifest, tag: "latest" });
  const platforms = [
    { os: "linux", architecture: "amd64" },
    { os: "linux", architecture: "arm", variant: "v7" },
  ];
  const manifests = platforms.map((platform) => ({
    mediaType: MEDIA_TYPE.ociManifest,
    digest,
    size: 7,
    platform,
  }));
  const list = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }));
  registry.manifest("app", list, { mediaType: MEDIA_TYPE.ociIndex, tag: "list" });
  const ask = async (name: string): Promise<unknown> =>
    bodyOf(await scene().ask("GET", "/distribution/{name...}/json", { name: `${registry.host}/${name}` }));
  const body = await ask("app");
  expect(body).toEqual({
    Descriptor: { mediaType: MEDIA_TYPE.ociManifest, digest: digestOf(manifest), size: manifest.byteLength },
    Platforms: [{ os: "linux", architecture: "arm64" }],
  });
  expect(responseFaults("GET", "/distribution/{name}/json", 200, body)).toEqual([]);
  expect(await ask("app:list")).toMatchObject({
    Descriptor: { digest: digestOf(list) },
    Platforms: platforms,
  });
  expect((await failure(ask("none"))).kind).toBe("not-found");
});
