import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { answering, cutting, FakeRegistry } from "../../test/fixtures/fake-registry.ts";
import type { Credentials } from "./authorizer.ts";
import { decodeHostsFile } from "./hosts-toml.ts";
import { readHostFolder } from "./host-folder.ts";
import { type ProxySettings, proxyFor } from "./proxy.ts";
import { RegistryClient } from "./registry-client.ts";

const NO_SIGNAL = new AbortController().signal;
const BLOB = Buffer.alloc(300_000, "abcdefg");
const MANIFEST = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf("{}"), size: 2 },
    layers: [],
  }),
);

function serve(registry: FakeRegistry): void {
  registry.blob(BLOB);
  registry.manifest("library/app", MANIFEST, { mediaType: MEDIA_TYPE.ociManifest, tag: "latest" });
}

/** Folders by host, gone with their scope. */
function folders(files: Readonly<Record<string, string>>): { readonly root: string } & Disposable {
  const root = mkdtempSync(join(tmpdir(), "darse-hosts-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}

async function read(client: RegistryClient, offset = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const blob = { digest: digestOf(BLOB), size: BLOB.byteLength };
  for await (const chunk of client.blob("library/app", blob, offset, NO_SIGNAL)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function failure(work: Promise<unknown>): Promise<EngineError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error;
  throw new Error(`expected a refusal, got ${String(error)}`);
}

test("hosts.toml: every field has its meaning, and an order", () => {
  const file = decodeHostsFile(`
    server = "https://registry.example"
    ca = "own.crt"
    [host."https://first.example/cache"]
      capabilities = ["pull", "resolve"]
      ca = ["/etc/a.crt", "b.crt"]
      client = [["us.cert", "us.key"]]
      skip_verify = true
      [host."https://first.example/cache".header]
        x-team = ["a", "b"]
    [host."second.example:5000/whole/v2/x"]
      override_path = true
  `);
  expect(file.server.api?.href).toBe("https://registry.example/v2/");
  expect(file.server.authorities).toEqual(["own.crt"]);
  expect(file.hosts.map(({ api }) => api.href)).toEqual([
    "https://first.example/cache/v2/",
    "https://second.example:5000/whole/v2/x/",
  ]);
  expect(file.hosts[0]).toMatchObject({
    capabilities: ["pull", "resolve"],
    authorities: ["/etc/a.crt", "b.crt"],
    clients: [{ certificate: "us.cert", key: "us.key" }],
    skipVerify: true,
    headers: { "x-team": "a, b" },
  });
  expect(file.hosts[1]?.capabilities).toEqual(["pull", "resolve", "push"]);
});

const wrongFiles: readonly (readonly [what: string, text: string, words: string])[] = [
  ["no TOML", "server = ", "it is not TOML"],
  ["a server that is no address", 'server = "file:///etc"', "is no address"],
  ["an unknown capability", 'capabilities = ["delete"]', "is no capability"],
  ["a header with a line break", '[host."a.example".header]\nx = "a\\nb"', "is no header"],
  ["a number for a path", "client = 7", "client is a path"],
];
for (const [what, text, words] of wrongFiles) {
  test(`hosts.toml with ${what} is refused, naming the file`, async () => {
    using at = folders({ "registry.example/hosts.toml": text });
    const error = await failure(readHostFolder("registry.example", [at.root]));
    expect(error.kind).toBe("invalid");
    expect(error.message).toContain(words);
    expect(error.message).toContain("registry.example/hosts.toml");
  });
}

test("a client certificate without its key is refused in Docker's words", async () => {
  using at = folders({ "registry.example:5000/us.cert": "PEM" });
  const error = await failure(readHostFolder("registry.example:5000", [at.root]));
  expect(error.message).toContain("missing key us.key for client certificate us.cert");
});

for (const host of ["..", "../etc", ".hidden", "a/b", ""]) {
  test(`no folder is looked for by the host ${JSON.stringify(host)}`, async () => {
    using at = folders({ "ca.crt": "PEM" });
    expect(await readHostFolder(host, [at.root])).toBeUndefined();
  });
}

/** A registry of a name that is not looked up, behind caches, as `hosts.toml` says. */
function behind(origin: FakeRegistry, caches: readonly (readonly [FakeRegistry, string])[]): string {
  const hosts = caches.map(([cache, extra]) => `[host."http://${cache.host}"]\n${extra}\n`);
  return `server = "http://${origin.host}"\n${hosts.join("")}`;
}

test("a cache is asked before the registry, for which it is told; the registry is not asked then", async () => {
  await using origin = await FakeRegistry.start();
  await using cache = await FakeRegistry.start();
  serve(cache);
  using at = folders({ "registry.example/hosts.toml": behind(origin, [[cache, ""]]) });
  const client = new RegistryClient({ domain: "registry.example", settings: { hostFolders: [at.root] } });
  await client.manifest("library/app", "latest", NO_SIGNAL);
  expect((await read(client)).equals(BLOB)).toBe(true);
  expect(origin.seen).toEqual([]);
  expect(cache.seen.at(-1)?.path).toContain("?ns=registry.example");
});

const broken: readonly (readonly [what: string, breakIt: (cache: FakeRegistry) => void])[] = [
  ["has nothing", () => undefined],
  ["fails", (cache) => cache.misbehave(answering("/v2/library", "", { status: 503 }))],
  ["refuses", (cache) => cache.misbehave(answering("/v2/library", "", { status: 403 }))],
  [
    "sends other bytes than it says",
    (cache) =>
      cache.misbehave(
        answering("/manifests/", "{}", { headers: { "Docker-Content-Digest": digestOf("x") } }),
      ),
  ],
  [
    "redirects for ever",
    (cache) =>
      cache.misbehave(answering("/v2/library", "", { status: 302, headers: { Location: "/v2/library/x" } })),
  ],
];
for (const [what, breakIt] of broken) {
  test(`of a cache that ${what} the next is asked, then the registry`, async () => {
    await using origin = await FakeRegistry.start();
    await using first = await FakeRegistry.start();
    await using second = await FakeRegistry.start();
    serve(origin);
    breakIt(first);
    breakIt(second);
    const text = behind(origin, [
      [first, ""],
      [second, ""],
    ]);
    using at = folders({ "registry.example/hosts.toml": text });
    const client = new RegistryClient({ domain: "registry.example", settings: { hostFolders: [at.root] } });
    expect((await client.manifest("library/app", "latest", NO_SIGNAL)).digest).toBe(digestOf(MANIFEST));
    expect(second.seen.length).toBeGreaterThan(0);
  });
}

test("a cache that cuts a blob is asked last from then on", async () => {
  await using origin = await FakeRegistry.start();
  await using cache = await FakeRegistry.start();
  serve(origin);
  serve(cache);
  cache.misbehave(cutting(BLOB, { bytes: 5000, times: 1 }));
  using at = folders({ "registry.example/hosts.toml": behind(origin, [[cache, ""]]) });
  const client = new RegistryClient({ domain: "registry.example", settings: { hostFolders: [at.root] } });
  expect((await failure(read(client))).kind).toBe("unavailable");
  expect((await read(client, 5000)).equals(BLOB.subarray(5000))).toBe(true);
  expect(origin.seen.filter(({ range }) => range === "bytes=5000-")).toHaveLength(1);
});

test("a cache is not asked for what it may not be asked for, and never for uploads", async () => {
  await using origin = await FakeRegistry.start();
  await using cache = await FakeRegistry.start();
  serve(origin);
  serve(cache);
  using at = folders({ "registry.example/hosts.toml": behind(origin, [[cache, 'capabilities = ["pull"]']]) });
  const client = new RegistryClient({ domain: "registry.example", settings: { hostFolders: [at.root] } });
  await client.manifest("library/app", "latest", NO_SIGNAL);
  const bytes = MANIFEST;
  await client.putManifest("library/app", "next", { bytes, mediaType: MEDIA_TYPE.ociManifest }, NO_SIGNAL);
  expect(cache.seen).toEqual([]);
});

test("credentials are for the registry alone: no cache is shown them (case 30)", async () => {
  const user = { name: "ann", password: "secret" };
  await using origin = await FakeRegistry.start({ user });
  await using cache = await FakeRegistry.start({ user });
  serve(origin);
  serve(cache);
  using at = folders({ "registry.example/hosts.toml": behind(origin, [[cache, ""]]) });
  const credentials: Credentials = { kind: "password", username: user.name, password: user.password };
  const settings = { hostFolders: [at.root] };
  const client = new RegistryClient({ domain: "registry.example", credentials, settings });
  await client.manifest("library/app", "latest", NO_SIGNAL);
  expect(new Set(cache.seen.map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
  expect(origin.seen.at(-1)?.authorization).toBe("Bearer good");
});

test("a mirror of Docker's registry is asked first, without being told for whom", async () => {
  await using mirror = await FakeRegistry.start();
  serve(mirror);
  const settings = { mirrors: [new URL(`http://${mirror.host}/`)] };
  const client = new RegistryClient({ domain: "docker.io", settings });
  await client.manifest("library/app", "latest", NO_SIGNAL);
  expect(mirror.seen.at(-1)?.path).toBe("/v2/library/app/manifests/latest");
});

test("headers set for a host go to it and to nobody it redirects to (case 30)", async () => {
  await using origin = await FakeRegistry.start();
  await using storage = await FakeRegistry.start();
  const keys: (string | undefined)[] = [];
  const keep = (headers: NodeJS.Dict<string | string[]>): void => void keys.push(String(headers["x-key"]));
  storage.misbehave((_, response) => {
    keep(response.req.headers);
    response.end(BLOB);
    return true;
  });
  origin.misbehave(({ path }, response) => {
    if (!path.includes("/blobs/")) return false;
    keep(response.req.headers);
    response.writeHead(307, { Location: `http://${storage.host}/signed` }).end();
    return true;
  });
  const text = `server = "http://${origin.host}"\n[header]\nx-key = "secret"\n`;
  using at = folders({ "registry.example/hosts.toml": text });
  await read(new RegistryClient({ domain: "registry.example", settings: { hostFolders: [at.root] } }));
  expect(keys).toEqual(["secret", "undefined"]);
});

const PROXIES: ProxySettings = {
  http: "http://plain.example:3128",
  https: "secure.example:3128",
  none: "registry.local,.inner.example, 10.0.0.0/8,ported.example:5000,*.star.example,[fd00::1]",
};
const proxied: readonly (readonly [url: string, proxy: string | undefined])[] = [
  ["http://a.example/", "http://plain.example:3128"],
  ["https://a.example/", "http://secure.example:3128"],
  ["https://registry.local:5000/", undefined],
  ["https://sub.registry.local/", undefined],
  ["https://registry.local.example/", "http://secure.example:3128"],
  ["https://x.inner.example/", undefined],
  ["https://inner.example/", "http://secure.example:3128"],
  ["https://10.1.2.3/", undefined],
  ["https://11.1.2.3/", "http://secure.example:3128"],
  ["https://ported.example:5000/", undefined],
  ["https://ported.example/", "http://secure.example:3128"],
  ["https://x.star.example/", undefined],
  ["https://[fd00::1]/", undefined],
  ["https://127.0.0.1:5000/", undefined],
  ["https://localhost/", undefined],
];
for (const [url, proxy] of proxied) {
  test(`${url} is asked ${proxy === undefined ? "directly" : `through ${proxy}`}`, () => {
    expect(proxyFor(new URL(url), PROXIES)).toBe(proxy);
  });
}

test("with * nothing is asked through a proxy", () => {
  expect(proxyFor(new URL("https://a.example"), { ...PROXIES, none: "*" })).toBeUndefined();
});
