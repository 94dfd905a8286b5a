import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { basic, FakeRegistry } from "../../test/fixtures/fake-registry.ts";
import type { Credentials } from "./authorizer.ts";
import { RegistryClient } from "./registry-client.ts";

const NO_SIGNAL = new AbortController().signal;
const BLOB = Buffer.alloc(300_000, "abcdefg");
const USER = { name: "ann", password: "secret" };
const CREDENTIALS: Credentials = { kind: "password", username: USER.name, password: USER.password };

function serve(registry: FakeRegistry): void {
  registry.blob(BLOB);
  const config = { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf("{}"), size: 2 };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [] }));
  registry.manifest("library/app", bytes, { mediaType: MEDIA_TYPE.ociManifest, tag: "latest" });
}

async function read(client: RegistryClient): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const blob = { digest: digestOf(BLOB), size: BLOB.byteLength };
  for await (const chunk of client.blob("library/app", blob, 0, NO_SIGNAL)) chunks.push(chunk);
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

test("nothing is sent before the registry asks, then a token is had once and used again", async () => {
  await using registry = await FakeRegistry.start({ user: USER });
  serve(registry);
  const client = new RegistryClient({ domain: registry.host, credentials: CREDENTIALS });
  await client.manifest("library/app", "latest", NO_SIGNAL);
  await read(client);
  const tokens = registry.seen.filter(({ path }) => path.startsWith("/token"));
  expect(tokens).toHaveLength(1);
  expect(tokens[0]?.authorization).toBe(basic(USER));
  expect(tokens[0]?.path).toContain("scope=repository%3Alibrary%2Fapp%3Apull");
  expect(
    registry.seen.filter(({ path }) => path.startsWith("/v2/")).map(({ authorization }) => authorization),
  ).toEqual([undefined, "Bearer good", "Bearer good"]);
});

test("requests that wait for the same token have it fetched once", async () => {
  await using registry = await FakeRegistry.start({ user: USER });
  serve(registry);
  const client = new RegistryClient({ domain: registry.host, credentials: CREDENTIALS });
  const asked = [1, 2, 3, 4, 5].map(() => client.manifest("library/app", "latest", NO_SIGNAL));
  expect(new Set((await Promise.all(asked)).map(({ digest }) => digest)).size).toBe(1);
  expect(registry.seen.filter(({ path }) => path.startsWith("/token"))).toHaveLength(1);
});

test("a token that is refused is fetched anew, once", async () => {
  await using registry = await FakeRegistry.start({ user: USER });
  serve(registry);
  const client = new RegistryClient({ domain: registry.host, credentials: CREDENTIALS });
  await client.manifest("library/app", "latest", NO_SIGNAL);
  registry.misbehave(({ path }, response) => {
    if (!path.startsWith("/v2/library")) return false;
    response.writeHead(401, { "WWW-Authenticate": `Bearer realm="http://${registry.host}/token"` }).end();
    return true;
  });
  expect((await failure(client.manifest("library/app", "latest", NO_SIGNAL))).kind).toBe("unauthorized");
  expect(registry.seen.filter(({ path }) => path.startsWith("/token"))).toHaveLength(2);
});

test("basic authentication answers a basic challenge", async () => {
  await using registry = await FakeRegistry.start({ user: USER, scheme: "basic" });
  serve(registry);
  const client = new RegistryClient({ domain: registry.host, credentials: CREDENTIALS });
  expect((await read(client)).equals(BLOB)).toBe(true);
});

const busy: readonly (readonly [what: string, retryAfter: string, times: number, isServed: boolean])[] = [
  ["at once", "0", 2, true],
  ["for ever", "0", 99, false],
  ["tomorrow", "86400", 1, false],
  ["some day", "Fri, 31 Dec 2027 23:59:59 GMT", 1, false],
];
for (const [when, retryAfter, times, isServed] of busy) {
  test(`a registry that has too much to do and says to come back ${when} is ${isServed ? "" : "not "}waited for`, async () => {
    await using registry = await FakeRegistry.start();
    serve(registry);
    let left = times;
    registry.misbehave(({ path }, response) => {
      if (!path.includes("/manifests/") || left-- <= 0) return false;
      response.writeHead(429, { "Retry-After": retryAfter }).end();
      return true;
    });
    const client = new RegistryClient({ domain: registry.host });
    const asked = client.manifest("library/app", "latest", NO_SIGNAL);
    if (isServed) expect((await asked).mediaType).toBe(MEDIA_TYPE.ociManifest);
    else expect((await failure(asked)).kind).toBe("unavailable");
    expect(registry.seen.filter(({ path }) => path.includes("/manifests/")).length).toBeLessThan(5);
  });
}
