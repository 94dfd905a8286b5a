import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import type { Guard } from "./auth/guard.ts";
import {
  bytesOf,
  errorCode,
  pushImage,
  putBlob,
  putManifest,
  type Running,
  runRegistry,
} from "./_fixtures/running-registry.ts";
import { findRepositoryName } from "./names.ts";

const BLOB = bytesOf("0123456789");
const DIGEST = digestOf(BLOB);

async function begin(registry: Running, repository = "team/app"): Promise<string> {
  const answer = await registry.ask("POST", `/v2/${repository}/blobs/uploads/`);
  expect(answer.status).toBe(202);
  expect(answer.headers.get("range")).toBe("0-0");
  const location = answer.headers.get("location") ?? "";
  expect(location).toEndWith(answer.headers.get("docker-upload-uuid") ?? "no id");
  return location;
}

async function expectBlob(registry: Running, path: string, bytes: Uint8Array): Promise<void> {
  const answer = await registry.ask("GET", path);
  expect(answer.status).toBe(200);
  expect(new Uint8Array(await answer.arrayBuffer())).toEqual(new Uint8Array(bytes));
}

test("POST then PUT stores a blob", async () => {
  await using registry = await runRegistry();
  const location = await begin(registry);
  const answer = await registry.ask("PUT", `${location}?digest=${DIGEST}`, { body: BLOB });
  expect(answer.status).toBe(201);
  expect(answer.headers.get("docker-content-digest")).toBe(DIGEST);
  await expectBlob(registry, answer.headers.get("location") ?? "", BLOB);
  expect((await registry.ask("GET", location)).status).toBe(404);
});

test("one POST with the digest stores a blob", async () => {
  await using registry = await runRegistry();
  const answer = await registry.ask("POST", `/v2/app/blobs/uploads/?digest=${DIGEST}`, { body: BLOB });
  expect(answer.status).toBe(201);
  await expectBlob(registry, answer.headers.get("location") ?? "", BLOB);
});

test("an empty blob is a blob", async () => {
  await using registry = await runRegistry();
  const digest = await putBlob(registry, "app", bytesOf(""));
  await expectBlob(registry, `/v2/app/blobs/${digest}`, bytesOf(""));
});

test("chunks are put together, the last one with the PUT", async () => {
  await using registry = await runRegistry();
  const location = await begin(registry);
  for (const [chunk, range, now] of [
    ["0123", "0-3", "0-3"],
    ["45", "4-5", "0-5"],
  ] as const) {
    const answer = await registry.ask("PATCH", location, {
      body: chunk,
      headers: { "Content-Range": range },
    });
    expect(answer.status).toBe(202);
    expect(answer.headers.get("range")).toBe(now);
    expect(answer.headers.get("location")).toBe(location);
  }
  const status = await registry.ask("GET", location);
  expect([status.status, status.headers.get("range")]).toEqual([204, "0-5"]);
  const headers = { "Content-Range": "6-9" };
  const last = await registry.ask("PUT", `${location}?digest=${DIGEST}`, { body: "6789", headers });
  expect(last.status).toBe(201);
  await expectBlob(registry, `/v2/team/app/blobs/${DIGEST}`, BLOB);
});

test("chunks without a range are added in turn, as Docker sends them", async () => {
  await using registry = await runRegistry();
  const location = await begin(registry);
  expect((await registry.ask("PATCH", location, { body: "01234" })).status).toBe(202);
  expect((await registry.ask("PATCH", location, { body: "56789" })).status).toBe(202);
  expect((await registry.ask("PUT", `${location}?digest=${DIGEST}`)).status).toBe(201);
});

const outOfOrder = [
  ["a chunk that leaves a gap", "2-3", "23"],
  ["a chunk that comes again", "0-1", "01"],
] as const;
for (const [name, range, chunk] of outOfOrder) {
  test(`${name} is 416, and the session goes on`, async () => {
    await using registry = await runRegistry();
    const location = await begin(registry);
    await registry.ask("PATCH", location, { body: "0", headers: { "Content-Range": "0-0" } });
    const headers = { "Content-Range": range };
    expect((await registry.ask("PATCH", location, { body: chunk, headers })).status).toBe(416);
    expect((await registry.ask("PUT", `${location}?digest=${DIGEST}`, { body: chunk, headers })).status).toBe(
      416,
    );
    expect((await registry.ask("PATCH", location, { body: "123456789" })).status).toBe(202);
    expect((await registry.ask("PUT", `${location}?digest=${DIGEST}`)).status).toBe(201);
  });
}

test("a range that its chunk does not fill is refused", async () => {
  await using registry = await runRegistry();
  const location = await begin(registry);
  for (const range of ["0-9", "0-0", "3-2", "x", "0-"]) {
    const answer = await registry.ask("PATCH", location, {
      body: "0123",
      headers: { "Content-Range": range },
    });
    expect([400, 416]).toContain(answer.status);
  }
  expect((await registry.ask("GET", location)).headers.get("range")).toBe("0-0");
});

test("a session that was cancelled is gone with its files", async () => {
  await using registry = await runRegistry();
  const location = await begin(registry);
  await registry.ask("PATCH", location, { body: BLOB });
  expect((await registry.ask("DELETE", location)).status).toBe(204);
  for (const method of ["GET", "PATCH", "DELETE"]) {
    const answer = await registry.ask(method, location);
    expect([answer.status, await errorCode(answer)]).toEqual([404, "BLOB_UPLOAD_UNKNOWN"]);
  }
  const uploads = join(registry.root, "docker/registry/v2/repositories/team/app/_uploads");
  expect(await readdir(uploads)).toEqual([]);
});

test("bytes that are not what the digest says are refused, and the session is gone", async () => {
  await using registry = await runRegistry();
  const location = await begin(registry);
  const answer = await registry.ask("PUT", `${location}?digest=${DIGEST}`, { body: "others" });
  expect([answer.status, await errorCode(answer)]).toEqual([400, "DIGEST_INVALID"]);
  expect((await registry.ask("GET", location)).status).toBe(404);
  expect((await registry.ask("HEAD", `/v2/team/app/blobs/${DIGEST}`)).status).toBe(404);
});

test("a digest of no known form is refused", async () => {
  await using registry = await runRegistry();
  for (const digest of ["sha256:x", "md5:d41d8cd98f00b204e9800998ecf8427e", "../../etc/passwd", ""]) {
    const location = await begin(registry);
    const query = new URLSearchParams({ digest }).toString();
    const answer = await registry.ask("PUT", `${location}?${query}`, { body: BLOB });
    expect([answer.status, await errorCode(answer)]).toEqual([400, "DIGEST_INVALID"]);
  }
});

test("blobs and manifests may be named by sha512", async () => {
  await using registry = await runRegistry();
  const digest = `sha512:${createHash("sha512").update(BLOB).digest("hex")}`;
  for (const query of ["", "?digest-algorithm=sha512"]) {
    const begun = await registry.ask("POST", `/v2/app/blobs/uploads/${query}`);
    const location = begun.headers.get("location") ?? "";
    await registry.ask("PATCH", location, { body: "01234" });
    const answer = await registry.ask("PUT", `${location}?digest=${digest}`, { body: "56789" });
    expect(answer.status).toBe(201);
  }
  await expectBlob(registry, `/v2/app/blobs/${digest}`, BLOB);
  const { bytes } = await pushImage(registry, "app", "layer");
  const name = `sha512:${createHash("sha512").update(bytes).digest("hex")}`;
  expect((await putManifest(registry, `app/manifests/${name}`, bytes)).status).toBe(201);
  expect((await registry.ask("GET", `/v2/app/manifests/${name}`)).headers.get("docker-content-digest")).toBe(
    name,
  );
});

test("a blob is mounted from the repository that has it", async () => {
  await using registry = await runRegistry();
  const digest = await putBlob(registry, "one", BLOB);
  const answer = await registry.ask("POST", `/v2/two/blobs/uploads/?mount=${digest}&from=one`);
  expect(answer.status).toBe(201);
  await expectBlob(registry, answer.headers.get("location") ?? "", BLOB);
  expect((await registry.ask("POST", `/v2/three/blobs/uploads/?mount=${digest}`)).status).toBe(201);
  await expectBlob(registry, `/v2/three/blobs/${digest}`, BLOB);
});

test("where there is nothing to mount a session begins", async () => {
  await using registry = await runRegistry();
  await putBlob(registry, "one", BLOB);
  const other = digestOf("other");
  for (const query of [`mount=${other}&from=one`, `mount=${DIGEST}&from=nobody`, `mount=${other}`]) {
    const answer = await registry.ask("POST", `/v2/two/blobs/uploads/?${query}`);
    expect(answer.status).toBe(202);
    expect(answer.headers.get("location")).toStartWith("/v2/two/blobs/uploads/");
  }
});

test("a manifest is served as the bytes that came, by tag and by digest", async () => {
  await using registry = await runRegistry();
  const { bytes, digest } = await pushImage(registry, "team/app", "layer", { tag: "v1" });
  for (const key of ["v1", digest]) {
    const answer = await registry.ask("GET", `/v2/team/app/manifests/${key}`);
    expect(answer.headers.get("content-type")).toBe(MEDIA_TYPE.ociManifest);
    expect(answer.headers.get("docker-content-digest")).toBe(digest);
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes);
  }
});

test("a manifest that names what is not here is refused, with the digests", async () => {
  await using registry = await runRegistry();
  const { bytes, layer } = await pushImage(registry, "one", "layer");
  const answer = await putManifest(registry, "two/manifests/latest", bytes);
  expect(answer.status).toBe(400);
  const body = (await answer.json()) as { errors: { code: string; detail: { digest: string }[] }[] };
  expect(body.errors[0]?.code).toBe("MANIFEST_BLOB_UNKNOWN");
  expect(body.errors[0]?.detail.map(({ digest }) => digest)).toContain(layer);
  expect((await registry.ask("GET", "/v2/two/manifests/latest")).status).toBe(404);
});

test("an index needs its manifests, and is served as one", async () => {
  await using registry = await runRegistry();
  const { digest } = await pushImage(registry, "app", "layer");
  const index = (entry: string) =>
    bytesOf(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.ociIndex,
        manifests: [{ mediaType: MEDIA_TYPE.ociManifest, digest: entry, size: 1 }],
      }),
    );
  const unknown = await putManifest(registry, "app/manifests/all", index(digestOf("x")), MEDIA_TYPE.ociIndex);
  expect([unknown.status, await errorCode(unknown)]).toEqual([400, "MANIFEST_BLOB_UNKNOWN"]);
  expect((await putManifest(registry, "app/manifests/all", index(digest), MEDIA_TYPE.ociIndex)).status).toBe(
    201,
  );
  const answer = await registry.ask("GET", "/v2/app/manifests/all");
  expect(answer.headers.get("content-type")).toBe(MEDIA_TYPE.ociIndex);
});

test("a layer that lies elsewhere need not be here", async () => {
  await using registry = await runRegistry();
  const config = await putBlob(registry, "app", bytesOf("{}"));
  const manifest = bytesOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.dockerManifest,
      config: { mediaType: MEDIA_TYPE.dockerConfig, digest: config, size: 2 },
      layers: [
        {
          mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
          digest: digestOf("far"),
          size: 3,
          urls: ["https://example.com/far"],
        },
      ],
    }),
  );
  const answer = await putManifest(registry, "app/manifests/latest", manifest, MEDIA_TYPE.dockerManifest);
  expect(answer.status).toBe(201);
});

const badManifests: readonly (readonly [name: string, bytes: string, type: string])[] = [
  ["no JSON", "{", MEDIA_TYPE.ociManifest],
  ["neither manifest nor index", "{}", MEDIA_TYPE.ociManifest],
  ["both (case 29)", JSON.stringify({ schemaVersion: 2, manifests: [], layers: [] }), MEDIA_TYPE.ociIndex],
  [
    "of another type than it says",
    JSON.stringify({ mediaType: MEDIA_TYPE.ociIndex, manifests: [] }),
    MEDIA_TYPE.ociManifest,
  ],
  ["of a type that its bytes do not show", JSON.stringify({ manifests: [] }), MEDIA_TYPE.dockerIndex],
  ["of an unknown type", JSON.stringify({ mediaType: "text/html", manifests: [] }), "text/html"],
  [
    "schema 1",
    JSON.stringify({ schemaVersion: 1, fsLayers: [] }),
    "application/vnd.docker.distribution.manifest.v1+json",
  ],
];
for (const [name, bytes, type] of badManifests) {
  test(`a manifest that is ${name} is refused`, async () => {
    await using registry = await runRegistry();
    const answer = await putManifest(registry, "app/manifests/latest", bytesOf(bytes), type);
    expect([answer.status, await errorCode(answer)]).toEqual([400, "MANIFEST_INVALID"]);
  });
}

test("a manifest under another digest than its own is refused", async () => {
  await using registry = await runRegistry();
  const { bytes } = await pushImage(registry, "app", "layer");
  const answer = await putManifest(registry, `app/manifests/${digestOf("x")}`, bytes);
  expect([answer.status, await errorCode(answer)]).toEqual([400, "DIGEST_INVALID"]);
});

test("a manifest pushed by digest sets the tags that are asked for with it", async () => {
  await using registry = await runRegistry();
  const { bytes, digest } = await pushImage(registry, "app", "layer");
  const answer = await putManifest(registry, `app/manifests/${digest}?tag=1.2&tag=latest`, bytes);
  expect([answer.status, answer.headers.get("oci-tag")]).toEqual([201, "1.2, latest"]);
  const tags = await (await registry.ask("GET", "/v2/app/tags/list")).json();
  expect(tags).toEqual({ name: "app", tags: ["1.2", "latest"] });
});

test("a subject is confirmed, also when it is not here yet", async () => {
  await using registry = await runRegistry();
  const subject = digestOf("later");
  const { bytes, digest } = await pushImage(registry, "app", "signature", { subject });
  const answer = await putManifest(registry, `app/manifests/${digest}`, bytes);
  expect([answer.status, answer.headers.get("oci-subject")]).toEqual([201, subject]);
});

test("many clients may push the same blob at once", async () => {
  await using registry = await runRegistry();
  const bytes = new Uint8Array(300_000).fill(7);
  const digests = await Promise.all(Array.from({ length: 8 }, () => putBlob(registry, "app", bytes)));
  expect(new Set(digests).size).toBe(1);
  await expectBlob(registry, `/v2/app/blobs/${digests[0]}`, bytes);
  expect(registry.storage.usage.totalBytes).toBe(300_000);
});

test("a blob is mounted only from where the caller may read (case 32)", async () => {
  const reader = findRepositoryName("open");
  const guard: Guard = {
    check: async () => ({ user: "ann", readable: reader === undefined ? [] : [reader] }),
  };
  await using registry = await runRegistry({ guard });
  const secret = await putBlob(registry, "secret", bytesOf("secret"));
  const open = await putBlob(registry, "open", bytesOf("open"));
  for (const [query, status] of [
    [`mount=${secret}&from=secret`, 202],
    [`mount=${secret}`, 202],
    [`mount=${secret}&from=open`, 202],
    [`mount=${open}&from=open`, 201],
    [`mount=${open}`, 201],
  ] as const) {
    expect((await registry.ask("POST", `/v2/own/blobs/uploads/?${query}`)).status).toBe(status);
  }
  expect((await registry.ask("HEAD", `/v2/own/blobs/${secret}`)).status).toBe(404);
  const unknown = await registry.ask("POST", `/v2/own/blobs/uploads/?mount=${secret}&from=../secret`);
  expect([unknown.status, await errorCode(unknown)]).toEqual([400, "NAME_INVALID"]);
});
