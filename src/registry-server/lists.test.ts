import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import {
  bytesOf,
  errorCode,
  pushImage,
  putBlob,
  putManifest,
  type Running,
  runRegistry,
} from "./_fixtures/running-registry.ts";

async function json(registry: Running, path: string): Promise<Record<string, unknown>> {
  const answer = await registry.ask("GET", path);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
}

/** Follows `Link` headers to the end and gives what each page had under `key`. */
async function pages(registry: Running, first: string, key: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let path: string | undefined = first; path !== undefined; ) {
    const answer = await registry.ask("GET", path);
    found.push(((await answer.json()) as Record<string, unknown>)[key]);
    path = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  return found;
}

test("tags are listed in order, in pages where asked for", async () => {
  await using registry = await runRegistry();
  const { bytes } = await pushImage(registry, "app", "layer");
  for (const tag of ["v2", "V1", "v10", "_x", "latest"])
    await putManifest(registry, `app/manifests/${tag}`, bytes);
  const all = ["V1", "_x", "latest", "v10", "v2"];
  expect(await json(registry, "/v2/app/tags/list")).toEqual({ name: "app", tags: all });
  expect(await pages(registry, "/v2/app/tags/list?n=2", "tags")).toEqual([
    ["V1", "_x"],
    ["latest", "v10"],
    ["v2"],
  ]);
  expect(await pages(registry, "/v2/app/tags/list?n=5", "tags")).toEqual([all]);
  expect(await pages(registry, "/v2/app/tags/list?n=0", "tags")).toEqual([[]]);
  expect(await pages(registry, "/v2/app/tags/list?last=lb", "tags")).toEqual([["v10", "v2"]]);
  expect(await pages(registry, "/v2/app/tags/list?n=99999999999&last=_x", "tags")).toEqual([
    ["latest", "v10", "v2"],
  ]);
});

test("repositories are listed part by part, in pages where asked for", async () => {
  await using registry = await runRegistry();
  const names = ["a", "a/b", "a/b/c", "a-b", "a-b/c", "b"];
  for (const name of names.toReversed()) await putBlob(registry, name, bytesOf("x"));
  expect(await json(registry, "/v2/_catalog")).toEqual({ repositories: names });
  for (const n of [1, 2, 4]) {
    expect((await pages(registry, `/v2/_catalog?n=${n}`, "repositories")).flat()).toEqual(names);
  }
  for (const [index, last] of names.entries()) {
    expect(await json(registry, `/v2/_catalog?last=${last}`)).toEqual({
      repositories: names.slice(index + 1),
    });
  }
  expect(await json(registry, "/v2/_catalog?last=a/zz")).toEqual({ repositories: ["a-b", "a-b/c", "b"] });
  expect(await json(registry, "/v2/_catalog?n=0")).toEqual({ repositories: [] });
  expect((await registry.ask("GET", "/v2/_catalog?last=../..")).status).toBe(400);
});

test("a repository that was only begun is not listed", async () => {
  await using registry = await runRegistry();
  await registry.ask("POST", "/v2/begun/blobs/uploads/");
  expect(await json(registry, "/v2/_catalog")).toEqual({ repositories: [] });
  expect((await registry.ask("GET", "/v2/begun/tags/list")).status).toBe(404);
});

test("deleting a tag leaves the manifest and its other tags", async () => {
  await using registry = await runRegistry();
  const { bytes, digest } = await pushImage(registry, "app", "layer", { tag: "v1" });
  await putManifest(registry, "app/manifests/v2", bytes);
  expect((await registry.ask("DELETE", "/v2/app/manifests/v1")).status).toBe(202);
  expect((await registry.ask("GET", "/v2/app/manifests/v1")).status).toBe(404);
  expect((await registry.ask("GET", `/v2/app/manifests/${digest}`)).status).toBe(200);
  expect(await json(registry, "/v2/app/tags/list")).toEqual({ name: "app", tags: ["v2"] });
  const again = await registry.ask("DELETE", "/v2/app/manifests/v1");
  expect([again.status, await errorCode(again)]).toEqual([404, "MANIFEST_UNKNOWN"]);
});

test("deleting a manifest takes its tags with it and no other's", async () => {
  await using registry = await runRegistry();
  const { digest } = await pushImage(registry, "app", "one", { tag: "v1" });
  await pushImage(registry, "app", "two", { tag: "v2" });
  expect((await registry.ask("DELETE", `/v2/app/manifests/${digest}`)).status).toBe(202);
  expect((await registry.ask("GET", `/v2/app/manifests/${digest}`)).status).toBe(404);
  expect(await json(registry, "/v2/app/tags/list")).toEqual({ name: "app", tags: ["v2"] });
  expect((await registry.ask("DELETE", `/v2/app/manifests/${digest}`)).status).toBe(404);
});

test("deleting a blob takes it from its repository alone", async () => {
  await using registry = await runRegistry();
  const digest = await putBlob(registry, "one", bytesOf("shared"));
  await putBlob(registry, "two", bytesOf("shared"));
  expect((await registry.ask("DELETE", `/v2/one/blobs/${digest}`)).status).toBe(202);
  expect((await registry.ask("GET", `/v2/one/blobs/${digest}`)).status).toBe(404);
  expect((await registry.ask("GET", `/v2/two/blobs/${digest}`)).status).toBe(200);
  const again = await registry.ask("DELETE", `/v2/one/blobs/${digest}`);
  expect([again.status, await errorCode(again)]).toEqual([404, "BLOB_UNKNOWN"]);
});

test("referrers are listed with what they say of themselves, filtered where asked for", async () => {
  await using registry = await runRegistry();
  const { digest: subject } = await pushImage(registry, "app", "image", { tag: "v1" });
  const signature = await pushImage(registry, "app", "signature", {
    subject,
    artifactType: "application/x.signature",
    annotations: { by: "ann" },
  });
  const plain = await pushImage(registry, "app", "plain", { subject });
  await pushImage(registry, "app", "of another", { subject: digestOf("other") });
  const list = await json(registry, `/v2/app/referrers/${subject}`);
  expect(list).toMatchObject({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex });
  const entries = [
    {
      mediaType: MEDIA_TYPE.ociManifest,
      digest: signature.digest,
      size: signature.bytes.byteLength,
      artifactType: "application/x.signature",
      annotations: { by: "ann" },
    },
    {
      mediaType: MEDIA_TYPE.ociManifest,
      digest: plain.digest,
      size: plain.bytes.byteLength,
      artifactType: MEDIA_TYPE.ociConfig,
    },
  ].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  expect(list["manifests"]).toEqual(entries);
  const filtered = await registry.ask(
    "GET",
    `/v2/app/referrers/${subject}?artifactType=application/x.signature`,
  );
  expect(filtered.headers.get("oci-filters-applied")).toBe("artifactType");
  expect(filtered.headers.get("content-type")).toBe(MEDIA_TYPE.ociIndex);
  const { manifests } = (await filtered.json()) as { manifests: { digest: string }[] };
  expect(manifests.map(({ digest }) => digest)).toEqual([signature.digest]);
  expect((await pages(registry, `/v2/app/referrers/${subject}?n=1`, "manifests")).flat()).toEqual(entries);
  await registry.ask("DELETE", `/v2/app/manifests/${signature.digest}`);
  const left = await json(registry, `/v2/app/referrers/${subject}`);
  expect(left["manifests"]).toEqual(entries.filter((entry) => entry.digest !== signature.digest));
});

test("referrers of what nobody refers to, in no repository even, are an empty list", async () => {
  await using registry = await runRegistry();
  for (const name of ["app", "nobody"]) {
    if (name === "app") await pushImage(registry, "app", "image");
    expect((await json(registry, `/v2/${name}/referrers/${digestOf("x")}`))["manifests"]).toEqual([]);
  }
});

test("a file or folder that is none of the layout's is passed over", async () => {
  await using registry = await runRegistry();
  await pushImage(registry, "app", "layer", { tag: "v1" });
  const repositories = join(registry.root, "docker/registry/v2/repositories");
  await mkdir(join(repositories, "UPPER/_layers"), { recursive: true });
  await mkdir(join(repositories, "app/_manifests/tags/-bad/current"), { recursive: true });
  await mkdir(join(repositories, "app/_manifests/tags/half"), { recursive: true });
  expect(await json(registry, "/v2/_catalog")).toEqual({ repositories: ["app"] });
  expect(await json(registry, "/v2/app/tags/list")).toEqual({ name: "app", tags: ["v1"] });
  await rm(join(repositories, "app/_manifests/tags/v1/current/link"));
  expect((await registry.ask("GET", "/v2/app/manifests/v1")).status).toBe(404);
});

test("a read-only registry changes nothing, and one without delete deletes nothing", async () => {
  await using first = await runRegistry();
  const { digest, layer } = await pushImage(first, "app", "layer", { tag: "v1" });
  await using readOnly = await runRegistry({ root: first.root, isReadOnly: true });
  expect((await readOnly.ask("GET", "/v2/app/manifests/v1")).status).toBe(200);
  expect((await readOnly.ask("HEAD", `/v2/app/blobs/${layer}`)).status).toBe(200);
  await using keeping = await runRegistry({ root: first.root, mayRemove: false });
  for (const path of [`manifests/${digest}`, "manifests/v1", `blobs/${layer}`]) {
    for (const registry of [readOnly, keeping]) {
      const answer = await registry.ask("DELETE", `/v2/app/${path}`);
      expect([answer.status, await errorCode(answer)]).toEqual([405, "UNSUPPORTED"]);
    }
  }
  expect((await readOnly.ask("POST", "/v2/app/blobs/uploads/")).status).toBe(405);
  expect((await putManifest(readOnly, "app/manifests/v1", bytesOf("{}"))).status).toBe(405);
  expect((await keeping.ask("POST", "/v2/app/blobs/uploads/")).status).toBe(202);
});
