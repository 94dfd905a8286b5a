import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { digestOf } from "#oci/digest.ts";
import { answering, FakeRegistry } from "../../test/fixtures/fake-registry.ts";
import { RegistryClient } from "./registry-client.ts";
import type { UploadSource } from "./upload.ts";

const NO_SIGNAL = new AbortController().signal;
const BLOB = Buffer.alloc(3_000_000, "0123456789abc");
const IDENTITY = { digest: digestOf(BLOB), size: BLOB.byteLength };
const OPTIONS = { retryDelayMs: 1 };

/** `BLOB`, in chunks. */
const bytes: UploadSource["open"] = async function* (offset) {
  for (let at = offset; at < BLOB.byteLength; at += 65_536) yield BLOB.subarray(at, at + 65_536);
};
const KNOWN: UploadSource = { expected: IDENTITY, open: bytes };
const UNKNOWN: UploadSource = { open: bytes };

function methods(registry: FakeRegistry): string[] {
  return registry.seen.slice(1).map(({ method }) => method);
}

async function failure(work: Promise<unknown>): Promise<EngineError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error;
  throw new Error(`expected a refusal, got ${String(error)}`);
}

test("a blob whose digest is known goes in one request, with its length", async () => {
  await using registry = await FakeRegistry.start();
  const client = new RegistryClient({ domain: registry.host });
  expect(await client.upload("app", KNOWN, OPTIONS, NO_SIGNAL)).toEqual(IDENTITY);
  expect(methods(registry)).toEqual(["POST", "PUT"]);
  expect(registry.seen.at(-1)?.contentLength).toBe(String(BLOB.byteLength));
  expect(registry.findBlob(IDENTITY.digest)).toEqual(BLOB);
});

test("a blob whose digest is not known goes in a stream and is named afterwards", async () => {
  await using registry = await FakeRegistry.start();
  const client = new RegistryClient({ domain: registry.host });
  expect(await client.upload("app", UNKNOWN, OPTIONS, NO_SIGNAL)).toEqual(IDENTITY);
  expect(methods(registry)).toEqual(["POST", "PATCH", "PUT"]);
  expect(registry.seen.at(2)?.contentLength).toBeUndefined();
  expect(registry.findBlob(IDENTITY.digest)).toEqual(BLOB);
});

for (const [what, source] of [
  ["in one request", KNOWN],
  ["in a stream", UNKNOWN],
] as const) {
  test(`an upload ${what} goes on after a cut from where the registry got to`, async () => {
    await using registry = await FakeRegistry.start();
    registry.uploads.cuts.push(1_000_000, 500_000);
    const client = new RegistryClient({ domain: registry.host });
    expect(await client.upload("app", source, OPTIONS, NO_SIGNAL)).toEqual(IDENTITY);
    expect(registry.findBlob(IDENTITY.digest)).toEqual(BLOB);
    const status = registry.seen.filter(
      (request) => request.method === "GET" && request.path.includes("uploads"),
    );
    expect(status.length).toBeGreaterThan(0);
    const { length } = registry.seen.filter((request) => request.method === "POST");
    expect(length).toBe(1);
  });
}

test("an upload that the registry has forgotten begins anew", async () => {
  await using registry = await FakeRegistry.start();
  registry.uploads.cuts.push(1);
  registry.misbehave(({ method, path }, response) => {
    if (method !== "GET" || !path.includes("uploads")) return false;
    response.writeHead(404).end();
    return true;
  });
  const client = new RegistryClient({ domain: registry.host });
  expect(await client.upload("app", KNOWN, OPTIONS, NO_SIGNAL)).toEqual(IDENTITY);
  expect(registry.seen.filter(({ method }) => method === "POST")).toHaveLength(2);
});

test("where a blob is not taken at once it goes in chunks", async () => {
  await using registry = await FakeRegistry.start();
  registry.misbehave(({ method, contentLength }, response) => {
    if (method !== "PUT" || contentLength === "0") return false;
    response.writeHead(413).end();
    return true;
  });
  const client = new RegistryClient({ domain: registry.host });
  expect(await client.upload("app", KNOWN, OPTIONS, NO_SIGNAL)).toEqual(IDENTITY);
  expect(
    registry.seen.filter(({ method }) => method === "PATCH").map(({ contentRange }) => contentRange),
  ).toEqual([`0-${BLOB.byteLength - 1}`]);
});

test("where no stream is taken the blob is measured first and goes at once", async () => {
  await using registry = await FakeRegistry.start();
  registry.misbehave(({ method, contentLength }, response) => {
    if (method !== "PATCH" || contentLength !== undefined) return false;
    response.writeHead(411).end();
    return true;
  });
  const client = new RegistryClient({ domain: registry.host });
  expect(await client.upload("app", UNKNOWN, OPTIONS, NO_SIGNAL)).toEqual(IDENTITY);
  expect(registry.seen.at(-1)?.contentLength).toBe(String(BLOB.byteLength));
});

test("mountBlob() leaves no upload behind where nothing is mounted", async () => {
  await using registry = await FakeRegistry.start();
  registry.uploads.mountable.add("base");
  registry.blob(BLOB);
  const client = new RegistryClient({ domain: registry.host });
  expect(await client.mountBlob("app", IDENTITY, "base", NO_SIGNAL)).toBe(true);
  expect(await client.mountBlob("app", IDENTITY, "elsewhere", NO_SIGNAL)).toBe(false);
  expect(registry.uploads.open).toBe(0);
});

test("bytes that the registry does not accept are refused with its words, not sent in another form", async () => {
  await using registry = await FakeRegistry.start();
  const client = new RegistryClient({ domain: registry.host });
  const wrong: UploadSource = { expected: { ...IDENTITY, digest: digestOf("other") }, open: bytes };
  const error = await failure(client.upload("app", wrong, OPTIONS, NO_SIGNAL));
  expect([error.kind, error.message.includes("DIGEST_INVALID")]).toEqual(["invalid", true]);
  expect(methods(registry)).toEqual(["POST", "PUT"]);
});

test("a registry that fails is asked five times", async () => {
  await using registry = await FakeRegistry.start();
  registry.misbehave(({ method }, response) => {
    if (method !== "PUT") return false;
    response.writeHead(500).end();
    return true;
  });
  const client = new RegistryClient({ domain: registry.host });
  expect((await failure(client.upload("app", KNOWN, OPTIONS, NO_SIGNAL))).kind).toBe("unavailable");
  expect(registry.seen.filter(({ method }) => method === "PUT")).toHaveLength(5);
});

const locations: readonly (readonly [what: string, location: string, words: string])[] = [
  ["by plain HTTP elsewhere", "http://registry.example/upload", "plain HTTP is not allowed there"],
  ["into a file", "file:///etc/passwd", "its scheme is not allowed"],
];
for (const [what, location, words] of locations) {
  test(`an upload is not sent ${what} (case 30)`, async () => {
    await using registry = await FakeRegistry.start();
    registry.misbehave(answering("/uploads/", "", { status: 202, headers: { Location: location } }));
    const client = new RegistryClient({ domain: registry.host });
    const error = await failure(client.upload("app", KNOWN, OPTIONS, NO_SIGNAL));
    expect([error.kind, error.message.includes(words)]).toEqual(["forbidden", true]);
  });
}

test("an upload to another host carries no credentials (case 30)", async () => {
  const user = { name: "ann", password: "secret" };
  await using storage = await FakeRegistry.start();
  await using registry = await FakeRegistry.start({ user });
  registry.misbehave(({ method, authorization }, response) => {
    if (method !== "POST" || authorization === undefined) return false;
    response.writeHead(202, { Location: `http://${storage.host}/upload?key=1` }).end();
    return true;
  });
  storage.misbehave(answering("/upload", "", { status: 201 }));
  const credentials = { kind: "password", username: user.name, password: user.password } as const;
  const client = new RegistryClient({ domain: registry.host, credentials });
  await client.upload("app", KNOWN, OPTIONS, NO_SIGNAL);
  expect(storage.seen.map(({ method, authorization }) => [method, authorization])).toEqual([
    ["PUT", undefined],
  ]);
});

test("an abort ends an upload with its own reason, and its source is let go", async () => {
  await using registry = await FakeRegistry.start();
  const stop = new AbortController();
  let isOpen = false;
  const endless: UploadSource = {
    expected: { digest: IDENTITY.digest, size: Number.MAX_SAFE_INTEGER },
    async *open() {
      isOpen = true;
      try {
        for (let count = 0; ; count++) {
          if (count === 2) stop.abort(new Error("enough"));
          yield BLOB;
        }
      } finally {
        isOpen = false;
      }
    },
  };
  const client = new RegistryClient({ domain: registry.host });
  await expect(client.upload("app", endless, OPTIONS, stop.signal)).rejects.toThrow("enough");
  while (isOpen) await Bun.sleep(1);
});

test("upload() has a blob mounted where it is told from where, and sends it where that is not done", async () => {
  await using registry = await FakeRegistry.start();
  registry.blob(BLOB);
  registry.uploads.mountable.add("base");
  const client = new RegistryClient({ domain: registry.host });
  await client.upload("app", KNOWN, { ...OPTIONS, mountFrom: "base" }, NO_SIGNAL);
  expect(methods(registry)).toEqual(["POST"]);
  await client.upload("app", KNOWN, { ...OPTIONS, mountFrom: "elsewhere" }, NO_SIGNAL);
  expect(methods(registry)).toEqual(["POST", "POST", "DELETE", "POST", "PUT"]);
});

test("a registry that says it stored something else is corrupt (case 28)", async () => {
  await using registry = await FakeRegistry.start();
  const lie = { "Docker-Content-Digest": digestOf("something else") };
  registry.misbehave(({ method }, response) => {
    if (method !== "PUT") return false;
    response.req.resume().on("end", () => response.writeHead(201, lie).end());
    return true;
  });
  const client = new RegistryClient({ domain: registry.host });
  expect((await failure(client.upload("app", KNOWN, OPTIONS, NO_SIGNAL))).kind).toBe("corrupt");
  const manifest = { bytes: Buffer.from("{}"), mediaType: "application/json" };
  expect((await failure(client.putManifest("app", "1", manifest, NO_SIGNAL))).kind).toBe("corrupt");
});

test("an upload that gets nowhere is given up", async () => {
  await using registry = await FakeRegistry.start();
  registry.misbehave(({ method, contentLength, path }, response) => {
    const isWhole = method === "PUT" && contentLength !== "0";
    if (!isWhole && method !== "PATCH") return false;
    const there = { Location: path, Range: "0-0" };
    response.req.resume().on("end", () => response.writeHead(isWhole ? 413 : 202, there).end());
    return true;
  });
  const client = new RegistryClient({ domain: registry.host });
  const error = await failure(client.upload("app", KNOWN, OPTIONS, NO_SIGNAL));
  expect([error.kind, error.message.includes("stays at byte 0")]).toEqual(["unavailable", true]);
});

test("a list of tags is read page by page, never from another host", async () => {
  await using registry = await FakeRegistry.start();
  const manifest = { mediaType: "application/json" };
  for (const tag of ["a", "b", "c"]) registry.manifest("app", Buffer.from(tag), { ...manifest, tag });
  const client = new RegistryClient({ domain: registry.host });
  expect(await client.tags("app", NO_SIGNAL)).toEqual(["a", "b", "c"]);
  const headers = { Link: '<http://127.0.0.1:1/v2/app/tags/list?last=a>; rel="next"' };
  registry.misbehave(answering("/tags/list", '{"tags":["a"]}', { headers }));
  expect((await failure(client.tags("app", NO_SIGNAL))).kind).toBe("forbidden");
});

test("referrers come from the registry's own list where it keeps one", async () => {
  await using registry = await FakeRegistry.start({ listsReferrers: true });
  const client = new RegistryClient({ domain: registry.host });
  const subject = digestOf("subject");
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const document = {
    schemaVersion: 2,
    subject: { mediaType, digest: subject, size: 7 },
    artifactType: "a/b",
  };
  const bytes = Buffer.from(JSON.stringify(document));
  await client.putManifest("app", digestOf(bytes), { bytes, mediaType }, NO_SIGNAL);
  const found = await client.referrers("app", subject, {}, NO_SIGNAL);
  expect(found.map(({ digest }) => digest)).toEqual([digestOf(bytes)]);
  expect(registry.findManifest("app", subject.replace(":", "-"))).toBeUndefined();
});
