import { mkdir, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "bun:test";
import { type Digest, digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import {
  bytesOf,
  pushImage,
  putBlob,
  putManifest,
  type Running,
  runRegistry,
} from "./_fixtures/running-registry.ts";
import { findRepositoryName, type RepositoryName } from "./names.ts";
import { type Collected, type CollectionOptions, Collector } from "./storage/collector.ts";
import type { Storage } from "./storage/storage.ts";

const NO_SIGNAL = new AbortController().signal;
const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

const name = (text: string): RepositoryName => {
  const found = findRepositoryName(text);
  if (found === undefined) throw new Error(text);
  return found;
};

/** A registry whose clock the test turns. Times of files are true ones, so that the clock begins at the true time. */
async function withClock() {
  let ahead = 0;
  const registry = await runRegistry({ now: () => Date.now() + ahead });
  return {
    registry,
    pass: (ms: number) => {
      ahead += ms;
    },
    collect: (options: Partial<CollectionOptions> = {}): Promise<Collected> =>
      new Collector(registry.storage).collect(
        { withUntagged: false, isDryRun: false, uploadExpiryMs: DAY_MS, ...options },
        NO_SIGNAL,
      ),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

const has = async ({ blobs }: Storage, digest: Digest): Promise<boolean> =>
  (await blobs.size(digest)) !== undefined;

test("what a manifest names stays, the rest goes when its grace is over", async () => {
  await using world = await withClock();
  const { registry } = world;
  const kept = await pushImage(registry, "app", "kept", { tag: "v1" });
  const gone = await pushImage(registry, "app", "gone");
  const stray = await putBlob(registry, "app", bytesOf("never named"));
  await registry.ask("DELETE", `/v2/app/manifests/${gone.digest}`);
  const before = registry.storage.usage.totalBytes;

  expect(await world.collect()).toMatchObject({ blobs: 0, links: 0 });
  world.pass(2 * HOUR_MS);
  const bytes = gone.bytes.byteLength + "gone".length + '{"of":"gone"}'.length + "never named".length;
  expect(await world.collect()).toEqual({ manifests: 0, links: 3, blobs: 4, bytes, uploads: 0 });
  expect(registry.storage.usage.totalBytes).toBe(before - bytes);

  for (const digest of [gone.digest, gone.layer, gone.config, stray]) {
    expect(await has(registry.storage, digest)).toBe(false);
    expect((await registry.ask("HEAD", `/v2/app/blobs/${digest}`)).status).toBe(404);
  }
  for (const digest of [kept.layer, kept.config]) {
    expect((await registry.ask("GET", `/v2/app/blobs/${digest}`)).status).toBe(200);
  }
  expect((await registry.ask("GET", "/v2/app/manifests/v1")).status).toBe(200);
});

test("a dry run says the same and removes nothing", async () => {
  await using world = await withClock();
  const stray = await putBlob(world.registry, "app", bytesOf("stray"));
  world.pass(2 * HOUR_MS);
  expect(await world.collect({ isDryRun: true })).toMatchObject({ blobs: 1, bytes: 5, links: 1 });
  expect(await has(world.registry.storage, stray)).toBe(true);
  expect(await world.collect()).toMatchObject({ blobs: 1, bytes: 5, links: 1 });
});

test("a blob that another repository's manifest names loses the link alone", async () => {
  await using world = await withClock();
  const { registry } = world;
  const { layer } = await pushImage(registry, "one", "shared", { tag: "v1" });
  await registry.ask("POST", `/v2/two/blobs/uploads/?mount=${layer}&from=one`);
  world.pass(2 * HOUR_MS);
  expect(await world.collect()).toMatchObject({ links: 1, blobs: 0 });
  expect((await registry.ask("HEAD", `/v2/one/blobs/${layer}`)).status).toBe(200);
  expect((await registry.ask("HEAD", `/v2/two/blobs/${layer}`)).status).toBe(404);
});

const promises: readonly (readonly [
  name: string,
  renew: (registry: Running, digest: Digest) => Promise<unknown>,
])[] = [
  ["asked for again", (registry, digest) => registry.ask("HEAD", `/v2/app/blobs/${digest}`)],
  [
    "mounted elsewhere",
    (registry, digest) => registry.ask("POST", `/v2/two/blobs/uploads/?mount=${digest}&from=app`),
  ],
  ["pushed again", (registry) => putBlob(registry, "app", bytesOf("old"))],
];
for (const [what, renew] of promises) {
  test(`an old blob that is ${what} stays for the manifest to come`, async () => {
    await using world = await withClock();
    const digest = await putBlob(world.registry, "app", bytesOf("old"));
    world.pass(10 * HOUR_MS);
    // a commit stamps the file by the true clock: put it where the turned one is
    await renew(world.registry, digest);
    if (what === "pushed again") await age(world.registry.storage.blobs.path(digest), -10 * HOUR_MS);
    expect(await world.collect()).toMatchObject({ blobs: 0 });
    world.pass(2 * HOUR_MS);
    expect(await world.collect()).toMatchObject({ blobs: 1 });
  });
}

async function age(path: string, ms: number): Promise<void> {
  const at = new Date(Date.now() - ms);
  await utimes(path, at, at);
}

test("manifests that no tag reaches go when asked for: not those of an index, nor a subject's referrers", async () => {
  await using world = await withClock();
  const { registry } = world;
  const child = await pushImage(registry, "app", "child");
  const index = bytesOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: [{ mediaType: MEDIA_TYPE.ociManifest, digest: child.digest, size: child.bytes.byteLength }],
    }),
  );
  await putManifest(registry, "app/manifests/all", index, MEDIA_TYPE.ociIndex);
  const signature = await pushImage(registry, "app", "signature", { subject: child.digest });
  const orphan = await pushImage(registry, "app", "orphan");
  const ofOrphan = await pushImage(registry, "app", "of orphan", { subject: orphan.digest });

  world.pass(2 * HOUR_MS);
  expect(await world.collect()).toMatchObject({ manifests: 0, blobs: 0 });
  expect(await world.collect({ withUntagged: true })).toMatchObject({ manifests: 2, links: 4, blobs: 6 });
  for (const { digest } of [child, signature]) {
    expect((await registry.ask("HEAD", `/v2/app/manifests/${digest}`)).status).toBe(200);
  }
  for (const { digest } of [orphan, ofOrphan]) {
    expect((await registry.ask("HEAD", `/v2/app/manifests/${digest}`)).status).toBe(404);
  }
});

test("an untagged manifest that was just pushed stays: its index may follow", async () => {
  await using world = await withClock();
  await pushImage(world.registry, "app", "child");
  expect(await world.collect({ withUntagged: true })).toMatchObject({ manifests: 0, blobs: 0 });
});

test("abandoned uploads go, those that go on stay", async () => {
  await using world = await withClock();
  const { registry } = world;
  const begin = async (): Promise<string> =>
    (await registry.ask("POST", "/v2/app/blobs/uploads/")).headers.get("location") ?? "";
  const [old, alive] = [await begin(), await begin()];
  const folder = join(
    registry.root,
    "docker/registry/v2/repositories/app/_uploads",
    old.split("/").at(-1) ?? "",
  );
  for (const path of [join(folder, "data"), folder]) await age(path, 2 * DAY_MS);
  expect(await world.collect()).toMatchObject({ uploads: 1 });
  expect((await registry.ask("GET", old)).status).toBe(404);
  expect((await registry.ask("GET", alive)).status).toBe(204);
});

test("a repository that has nothing left is gone, those around it are not", async () => {
  await using world = await withClock();
  const { registry } = world;
  const { digest } = await pushImage(registry, "team/app", "image", { tag: "v1" });
  await pushImage(registry, "team", "parent", { tag: "v1" });
  await registry.ask("DELETE", `/v2/team/app/manifests/${digest}`);
  world.pass(2 * HOUR_MS);
  await world.collect();
  expect(await (await registry.ask("GET", "/v2/_catalog")).json()).toEqual({ repositories: ["team"] });
  expect((await registry.ask("GET", "/v2/team/app/tags/list")).status).toBe(404);
  await pushImage(registry, "team/app", "image", { tag: "v2" });
  expect((await registry.ask("GET", "/v2/team/app/manifests/v2")).status).toBe(200);
});

test("a manifest of an unknown form stops the collection: its blobs are not known", async () => {
  await using world = await withClock();
  const { storage } = world.registry;
  await plant(storage, name("app"), bytesOf('{"schemaVersion":7}'));
  const stray = await putBlob(world.registry, "app", bytesOf("stray"));
  world.pass(2 * HOUR_MS);
  await expect(world.collect()).rejects.toThrow("unknown form");
  expect(await has(storage, stray)).toBe(true);
});

test("the layers of a manifest of the first schema stay", async () => {
  await using world = await withClock();
  const { registry } = world;
  const layer = await putBlob(registry, "app", bytesOf("old layer"));
  const old = bytesOf(JSON.stringify({ schemaVersion: 1, fsLayers: [{ blobSum: layer }] }));
  const digest = await plant(registry.storage, name("app"), old);
  world.pass(2 * HOUR_MS);
  expect(await world.collect()).toMatchObject({ blobs: 0, links: 0 });
  const answer = await registry.ask("GET", `/v2/app/manifests/${digest}`);
  expect(answer.headers.get("content-type")).toBe(
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
  );
});

/** Puts a manifest where another registry would have. */
async function plant(
  { layout, blobs }: Storage,
  repository: RepositoryName,
  bytes: Uint8Array,
): Promise<Digest> {
  const digest = digestOf(bytes);
  await blobs.writeBytes(bytes, digest);
  const link = layout.revision(repository, digest);
  await mkdir(dirname(link), { recursive: true });
  await writeFile(link, digest);
  return digest;
}

test("pushes and collections at the same time lose nothing", async () => {
  await using world = await withClock();
  const { registry } = world;
  let isDone = false;
  const collecting = (async () => {
    let runs = 0;
    for (; !isDone; runs++) await world.collect({ withUntagged: true });
    return runs;
  })();
  // the same layers come, go, and come again, in repositories that vanish and come back
  const push = async (worker: number): Promise<void> => {
    for (let round = 0; round < 12; round++) {
      const repository = `team${worker % 2}/app${round % 3}`;
      const image = await pushImage(registry, repository, `layer of ${worker}`, { tag: `w${worker}` });
      const found = await registry.ask("GET", `/v2/${repository}/manifests/w${worker}`);
      expect([found.status, found.headers.get("docker-content-digest")]).toEqual([200, image.digest]);
      expect((await registry.ask("GET", `/v2/${repository}/blobs/${image.layer}`)).status).toBe(200);
      await registry.ask("DELETE", `/v2/${repository}/manifests/w${worker}`);
      // as if all of it had happened long ago
      const old = [image.layer, image.config, image.digest].map((digest) =>
        registry.storage.blobs.path(digest),
      );
      old.push(registry.storage.layout.revision(name(repository), image.digest));
      await Promise.all(old.map((path) => age(path, 2 * HOUR_MS)));
    }
  };
  await Promise.all([0, 1, 2, 3].map(push));
  isDone = true;
  expect(await collecting).toBeGreaterThan(0);
});

test("what was on its way when the process died is dropped", async () => {
  await using first = await runRegistry();
  const aside = first.storage.layout.aside;
  await writeFile(join(aside, "half"), "x");
  await using second = await runRegistry({ root: first.root });
  expect(await readdir(aside)).toEqual([]);
  expect((await second.ask("GET", "/v2/")).status).toBe(200);
  await rm(aside, { recursive: true });
});
