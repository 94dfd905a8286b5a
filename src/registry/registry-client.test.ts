import { expect, test } from "bun:test";
import { EngineError, type ErrorKind } from "#base/errors.ts";
import type { Digest } from "#oci/digest.ts";
import { digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { answering, cutting, endless, FakeRegistry } from "../../test/fixtures/fake-registry.ts";
import type { Credentials } from "./authorizer.ts";
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
const USER = { name: "ann", password: "secret" };
const CREDENTIALS: Credentials = { kind: "password", username: "ann", password: "secret" };

function serve(registry: FakeRegistry): Digest {
  registry.blob(BLOB);
  return registry.manifest("library/app", MANIFEST, { mediaType: MEDIA_TYPE.ociManifest, tag: "latest" });
}

async function read(client: RegistryClient, size = BLOB.byteLength, offset = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const blob = { digest: digestOf(BLOB), size };
  for await (const chunk of client.blob("library/app", blob, offset, NO_SIGNAL)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function failure(work: Promise<unknown>): Promise<EngineError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
  throw new Error("expected a failure");
}

test("a manifest is had by tag and by digest, with its media type", async () => {
  await using registry = await FakeRegistry.start();
  const digest = serve(registry);
  const client = new RegistryClient({ domain: registry.host });
  for (const reference of ["latest", digest]) {
    const manifest = await client.manifest("library/app", reference, NO_SIGNAL);
    expect(manifest.digest).toBe(digest);
    expect(manifest.mediaType).toBe(MEDIA_TYPE.ociManifest);
    expect(Buffer.from(manifest.bytes).equals(MANIFEST)).toBe(true);
  }
});

test("a blob comes whole, and from an offset by range", async () => {
  await using registry = await FakeRegistry.start();
  serve(registry);
  const client = new RegistryClient({ domain: registry.host });
  expect((await read(client)).equals(BLOB)).toBe(true);
  expect((await read(client, BLOB.byteLength, 100_001)).equals(BLOB.subarray(100_001))).toBe(true);
  expect(registry.seen.at(-1)?.range).toBe("bytes=100001-");
});

test("a registry is found at an IPv6 address", async () => {
  await using registry = await FakeRegistry.start({ address: "::1" });
  serve(registry);
  expect((await read(new RegistryClient({ domain: registry.host }))).equals(BLOB)).toBe(true);
});

test("a registry that ignores the range has what was asked for picked out of its answer", async () => {
  await using registry = await FakeRegistry.start();
  serve(registry);
  registry.misbehave(answering("/blobs/", BLOB));
  const client = new RegistryClient({ domain: registry.host });
  expect((await read(client, BLOB.byteLength, 70_001)).equals(BLOB.subarray(70_001))).toBe(true);
});

test("without credentials a private repository is unauthorized", async () => {
  await using registry = await FakeRegistry.start({ user: USER });
  serve(registry);
  const client = new RegistryClient({ domain: registry.host });
  expect((await failure(client.manifest("library/app", "latest", NO_SIGNAL))).kind).toBe("unauthorized");
});

test("a redirect is followed, and Authorization stays with the host it was for (case 30)", async () => {
  await using registry = await FakeRegistry.start({ user: USER });
  await using storage = await FakeRegistry.start();
  serve(registry);
  storage.misbehave(answering("/signed", BLOB));
  registry.misbehave(({ path, authorization }, response) => {
    if (!path.includes("/blobs/") || authorization === undefined) return false;
    response.writeHead(307, { Location: `http://${storage.host}/signed?key=1` });
    response.end();
    return true;
  });
  const client = new RegistryClient({ domain: registry.host, credentials: CREDENTIALS });
  expect((await read(client)).equals(BLOB)).toBe(true);
  expect(storage.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
});

test("a challenge of the host redirected to gets no answer (case 30)", async () => {
  await using registry = await FakeRegistry.start();
  await using thief = await FakeRegistry.start({ user: USER });
  serve(registry);
  registry.misbehave(
    answering("/blobs/", "", { status: 302, headers: { Location: `http://${thief.host}/v2/a/blobs/b` } }),
  );
  const client = new RegistryClient({ domain: registry.host, credentials: CREDENTIALS });
  expect((await failure(read(client))).kind).toBe("unauthorized");
  expect(thief.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
});

const redirects: readonly (readonly [what: string, location: string, words: string])[] = [
  ["to itself for ever", "/v2/library/app/blobs/again", "redirects more than 5 times"],
  ["to plain HTTP elsewhere", "http://registry.example/blob", "plain HTTP is not allowed there"],
  ["to a file", "file:///etc/passwd", "its scheme is not allowed"],
  ["to no address", "http://[", "it is no address"],
];
for (const [what, location, words] of redirects) {
  test(`a redirect ${what} is refused`, async () => {
    await using registry = await FakeRegistry.start();
    serve(registry);
    registry.misbehave(answering("/blobs/", "", { status: 302, headers: { Location: location } }));
    expect((await failure(read(new RegistryClient({ domain: registry.host })))).message).toContain(words);
  });
}

const challenges: readonly (readonly [what: string, realm: string, words: string])[] = [
  ["plain HTTP elsewhere", "http://auth.example/token", "may not be asked"],
  ["a file", "file:///etc/passwd", "may not be asked"],
  ["no address", "nowhere", "is no address"],
];
for (const [what, realm, words] of challenges) {
  test(`a token realm that is ${what} gets no credentials (case 30)`, async () => {
    await using registry = await FakeRegistry.start();
    registry.misbehave(
      answering("/v2/library", "", {
        status: 401,
        headers: { "WWW-Authenticate": `Bearer realm="${realm}"` },
      }),
    );
    const client = new RegistryClient({ domain: registry.host, credentials: CREDENTIALS });
    const error = await failure(client.manifest("library/app", "latest", NO_SIGNAL));
    expect([error.kind, error.message.includes(words)]).toEqual(["forbidden", true]);
  });
}

test("a token realm that changes is refused (case 30)", async () => {
  await using registry = await FakeRegistry.start();
  let count = 0;
  registry.misbehave(({ path }, response) => {
    if (!path.startsWith("/v2/library")) return false;
    const realm = `http://${registry.host}/token${count++}`;
    response.writeHead(401, { "WWW-Authenticate": `Bearer realm="${realm}"` });
    response.end();
    return true;
  });
  const client = new RegistryClient({ domain: registry.host, credentials: CREDENTIALS });
  await failure(client.manifest("library/app", "latest", NO_SIGNAL));
  const error = await failure(client.manifest("library/other", "latest", NO_SIGNAL));
  expect(error.message).toContain("the token realm changed");
});

const manifests: readonly (readonly [
  what: string,
  bytes: string,
  headers: Record<string, string>,
  kind: ErrorKind,
])[] = [
  ["other bytes than its digest header says", "{}", { "Docker-Content-Digest": digestOf("x") }, "corrupt"],
  ["5 MiB", " ".repeat(5 * 1024 * 1024), {}, "invalid"],
];
for (const [what, bytes, headers, kind] of manifests) {
  test(`a manifest of ${what} is ${kind} (case 28)`, async () => {
    await using registry = await FakeRegistry.start();
    registry.misbehave(answering("/manifests/", bytes, { headers }));
    const client = new RegistryClient({ domain: registry.host });
    expect((await failure(client.manifest("library/app", "latest", NO_SIGNAL))).kind).toBe(kind);
  });
}

test("a manifest asked for by digest must hash to it, whatever the header says (case 28)", async () => {
  await using registry = await FakeRegistry.start();
  const digest = serve(registry);
  registry.misbehave(answering("/manifests/", "{}", { headers: { "Docker-Content-Digest": digest } }));
  const client = new RegistryClient({ domain: registry.host });
  const error = await failure(client.manifest("library/app", digest, NO_SIGNAL));
  expect(error.kind).toBe("corrupt");
  expect(error.message).toContain(`not ${digest}`);
});

test("an endless manifest is given up after 4 MiB (case 28)", async () => {
  await using registry = await FakeRegistry.start();
  registry.misbehave(endless("/manifests/"));
  const client = new RegistryClient({ domain: registry.host });
  expect((await failure(client.manifest("library/app", "latest", NO_SIGNAL))).message).toContain(
    "more than 4194304",
  );
});

test("a blob that is longer than its descriptor says is corrupt (case 28)", async () => {
  await using registry = await FakeRegistry.start();
  serve(registry);
  expect((await failure(read(new RegistryClient({ domain: registry.host }), 1000))).kind).toBe("corrupt");
});

test("a blob that ends too early is unavailable: it may be asked for again", async () => {
  await using registry = await FakeRegistry.start();
  serve(registry);
  registry.misbehave(cutting(BLOB, { bytes: 5000, times: 1 }));
  expect((await failure(read(new RegistryClient({ domain: registry.host })))).kind).toBe("unavailable");
  const short = await failure(read(new RegistryClient({ domain: registry.host }), BLOB.byteLength + 1));
  expect(short.kind).toBe("unavailable");
});

test("a range that was not asked for is corrupt", async () => {
  await using registry = await FakeRegistry.start();
  serve(registry);
  const headers = { "Content-Range": "bytes 5-9/10" };
  registry.misbehave(answering("/blobs/", "12345", { status: 206, headers }));
  const error = await failure(read(new RegistryClient({ domain: registry.host }), BLOB.byteLength, 7));
  expect(error.kind).toBe("corrupt");
});

const statuses: readonly (readonly [status: number, kind: ErrorKind])[] = [
  [401, "unauthorized"],
  [403, "unauthorized"],
  [404, "not-found"],
  [429, "unavailable"],
  [500, "unavailable"],
  [400, "invalid"],
];
for (const [status, kind] of statuses) {
  test(`status ${status} is ${kind}, and an error body that is no JSON is harmless`, async () => {
    await using registry = await FakeRegistry.start();
    registry.misbehave(answering("/manifests/", "<html>", { status }));
    const client = new RegistryClient({ domain: registry.host });
    const error = await failure(client.manifest("library/app", "latest", NO_SIGNAL));
    expect(error.kind).toBe(kind);
  });
}

test("where nobody listens the error names the host and why", async () => {
  const error = await failure(
    new RegistryClient({ domain: "127.0.0.1:1" }).manifest("library/app", "latest", NO_SIGNAL),
  );
  expect(error.kind).toBe("unavailable");
  expect(error.message).toBe("127.0.0.1:1: connection refused");
});

test("an abort ends a request under way with its own reason", async () => {
  await using registry = await FakeRegistry.start();
  const stop = new AbortController();
  registry.misbehave(({ path }) => {
    if (path === "/v2/") return false;
    stop.abort(new Error("enough"));
    return true;
  });
  const client = new RegistryClient({ domain: registry.host });
  await expect(client.manifest("library/app", "latest", stop.signal)).rejects.toThrow("enough");
});

test("secrets are in no error (case 30)", async () => {
  await using registry = await FakeRegistry.start({ user: { name: "ann", password: "other" } });
  const client = new RegistryClient({ domain: registry.host, credentials: CREDENTIALS });
  const error = await failure(client.manifest("library/app", "latest", NO_SIGNAL));
  expect(`${error.message} ${JSON.stringify(error)}`).not.toContain("secret");
});
