import { chmod, truncate } from "node:fs/promises";
import { connect } from "node:net";
import { expect, test } from "bun:test";
import { digestOf } from "#oci/digest.ts";
import {
  bytesOf,
  errorCode,
  pushImage,
  putBlob,
  type Running,
  runRegistry,
} from "./_fixtures/running-registry.ts";

const BLOB = bytesOf("0123456789");

test("every answer names the protocol", async () => {
  await using registry = await runRegistry();
  for (const [path, status] of [
    ["/v2/", 200],
    ["/v2", 200],
    ["/", 200],
    ["/healthz", 200],
    ["/v2/app/manifests/latest", 404],
    ["/elsewhere", 404],
  ] as const) {
    const answer = await registry.ask("GET", path);
    expect([path, answer.status]).toEqual([path, status]);
    expect(answer.headers.get("docker-distribution-api-version")).toBe("registry/2.0");
    await answer.arrayBuffer();
  }
});

const ranges: readonly (readonly [header: string, status: number, body: string, range: string | null])[] = [
  ["bytes=0-0", 206, "0", "bytes 0-0/10"],
  ["bytes=4-", 206, "456789", "bytes 4-9/10"],
  ["bytes=4-99", 206, "456789", "bytes 4-9/10"],
  ["bytes=-3", 206, "789", "bytes 7-9/10"],
  ["bytes=-99", 206, "0123456789", "bytes 0-9/10"],
  ["bytes=0-1,3-4", 200, "0123456789", null],
  ["bytes=5-2", 200, "0123456789", null],
  ["bytes=-", 200, "0123456789", null],
  ["lines=1-2", 200, "0123456789", null],
];
for (const [header, status, body, range] of ranges) {
  test(`Range "${header}" of ten bytes is ${status}`, async () => {
    await using registry = await runRegistry();
    const digest = await putBlob(registry, "app", BLOB);
    const answer = await registry.ask("GET", `/v2/app/blobs/${digest}`, { headers: { Range: header } });
    expect([answer.status, answer.headers.get("content-range")]).toEqual([status, range]);
    expect(await answer.text()).toBe(body);
  });
}

test("a range behind the end is 416 and tells the size", async () => {
  await using registry = await runRegistry();
  const digest = await putBlob(registry, "app", BLOB);
  for (const header of ["bytes=10-", "bytes=99-100", "bytes=-0"]) {
    const answer = await registry.ask("GET", `/v2/app/blobs/${digest}`, { headers: { Range: header } });
    expect([answer.status, answer.headers.get("content-range")]).toEqual([416, "bytes */10"]);
    await answer.arrayBuffer();
  }
});

test("a range of another entity than this is the whole", async () => {
  await using registry = await runRegistry();
  const digest = await putBlob(registry, "app", BLOB);
  const path = `/v2/app/blobs/${digest}`;
  const other = { Range: "bytes=4-", "If-Range": '"other"' };
  expect((await registry.ask("GET", path, { headers: other })).status).toBe(200);
  const same = { Range: "bytes=4-", "If-Range": `"${digest}"` };
  expect((await registry.ask("GET", path, { headers: same })).status).toBe(206);
});

test("HEAD has the headers of GET and no body", async () => {
  await using registry = await runRegistry();
  const { digest, layer, bytes } = await pushImage(registry, "app", "0123456789", { tag: "v1" });
  for (const [path, name, length] of [
    [`/v2/app/blobs/${layer}`, layer, 10],
    ["/v2/app/manifests/v1", digest, bytes.byteLength],
    [`/v2/app/manifests/${digest}`, digest, bytes.byteLength],
  ] as const) {
    const head = await registry.ask("HEAD", path);
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(head.headers.get("content-length")).toBe(String(length));
    expect(head.headers.get("docker-content-digest")).toBe(name);
    const get = await registry.ask("GET", path);
    expect(get.headers.get("content-type")).toBe(head.headers.get("content-type"));
    await get.arrayBuffer();
  }
});

test("who has it already is told so", async () => {
  await using registry = await runRegistry();
  const { digest, layer } = await pushImage(registry, "app", "layer", { tag: "v1" });
  for (const [path, name] of [
    [`/v2/app/blobs/${layer}`, layer],
    ["/v2/app/manifests/v1", digest],
  ] as const) {
    for (const tag of [`"${name}"`, `W/"${name}"`, name, `"other", "${name}"`, "*"]) {
      const answer = await registry.ask("GET", path, { headers: { "If-None-Match": tag } });
      expect([answer.status, answer.headers.get("etag")]).toEqual([304, `"${name}"`]);
    }
    const changed = await registry.ask("GET", path, { headers: { "If-None-Match": '"other"' } });
    expect(changed.status).toBe(200);
    await changed.arrayBuffer();
  }
});

const unknown = digestOf("unknown");
const missing: readonly (readonly [
  method: string,
  path: string,
  status: number,
  code: string | undefined,
])[] = [
  ["GET", "/v2/app/manifests/none", 404, "MANIFEST_UNKNOWN"],
  ["GET", `/v2/app/manifests/${unknown}`, 404, "MANIFEST_UNKNOWN"],
  ["GET", "/v2/nobody/manifests/v1", 404, "MANIFEST_UNKNOWN"],
  ["GET", "/v2/app/manifests/.hidden", 404, "MANIFEST_UNKNOWN"],
  ["GET", `/v2/app/blobs/${unknown}`, 404, "BLOB_UNKNOWN"],
  ["HEAD", `/v2/app/blobs/${unknown}`, 404, undefined],
  ["GET", "/v2/app/blobs/sha256:12", 400, "DIGEST_INVALID"],
  ["GET", "/v2/nobody/tags/list", 404, "NAME_UNKNOWN"],
  ["GET", "/v2/UPPER/tags/list", 400, "NAME_INVALID"],
  ["GET", "/v2/app/referrers/sha256:12", 400, "DIGEST_INVALID"],
  ["GET", "/v2/app/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID"],
  ["GET", "/v2/app/tags/list?n=-1", 400, "PAGINATION_NUMBER_INVALID"],
  ["POST", "/v2/app/manifests/v1", 405, "UNSUPPORTED"],
  ["GET", "/v2/app/blobs/uploads/not-an-id", 404, "BLOB_UPLOAD_UNKNOWN"],
];
for (const [method, path, status, code] of missing) {
  test(`${method} ${path} is ${status} ${code ?? ""}`, async () => {
    await using registry = await runRegistry();
    await pushImage(registry, "app", "layer", { tag: "v1" });
    const answer = await registry.ask(method, path);
    expect(answer.status).toBe(status);
    if (code === undefined) expect(await answer.text()).toBe("");
    else expect(await errorCode(answer)).toBe(code);
  });
}

test("a blob of another repository is not here", async () => {
  await using registry = await runRegistry();
  const digest = await putBlob(registry, "one", BLOB);
  expect((await registry.ask("GET", `/v2/two/blobs/${digest}`)).status).toBe(404);
  expect((await registry.ask("HEAD", `/v2/two/blobs/${digest}`)).status).toBe(404);
});

/** Sends a request line that no client library would, and gives the status of the answer. */
async function raw(registry: Running, head: string): Promise<number> {
  const [host = "", port = ""] = registry.host.split(":");
  return await new Promise((resolve, reject) => {
    const socket = connect(Number(port), host);
    let text = "";
    socket.on("error", reject);
    socket.on("data", (part) => {
      text += part.toString("latin1");
    });
    socket.on("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0)));
    socket.write(`${head}\r\nHost: x\r\nConnection: close\r\n\r\n`);
  });
}

const traversals = [
  "/v2/../../../etc/manifests/passwd",
  "/v2/..%2f..%2fetc/manifests/passwd",
  "/v2/a/../../b/tags/list",
  "/v2/_layers/tags/list",
  "/v2/app/_manifests/tags/list",
  "/v2/app/manifests/..",
  "/v2/app/manifests/..%2f..%2flink",
  "/v2/app/blobs/uploads/..",
  "/v2/app/blobs/uploads/%2e%2e%2f%2e%2e",
  "/v2/app/blobs/sha256:../../../../etc/passwd",
  "/v2/app%00/tags/list",
  "/v2/app/manifests/%zz",
  "//v2/app/tags/list",
  `/v2/${"a/".repeat(200)}a/tags/list`,
];
for (const path of traversals) {
  test(`${path.slice(0, 60)} leads nowhere (case 32)`, async () => {
    await using registry = await runRegistry();
    await pushImage(registry, "app", "layer", { tag: "v1" });
    for (const method of ["GET", "DELETE"]) {
      expect([400, 404, 405]).toContain(await raw(registry, `${method} ${path} HTTP/1.1`));
    }
  });
}

test("a blob whose file was cut breaks the connection: it does not look whole", async () => {
  await using registry = await runRegistry();
  const digest = await putBlob(registry, "app", BLOB);
  const { blobs } = registry.storage;
  await chmod(blobs.path(digest), 0o600);
  const open = blobs.open.bind(blobs);
  blobs.open = async (wanted) => {
    const found = await open(wanted);
    await truncate(blobs.path(digest), 4);
    return found;
  };
  const cut = registry.ask("GET", `/v2/app/blobs/${digest}`).then((half) => half.arrayBuffer());
  await expect(cut).rejects.toThrow();
});
