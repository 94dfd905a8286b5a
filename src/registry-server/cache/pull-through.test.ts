import { readdir } from "node:fs/promises";
import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { silentLogger } from "#base/log.ts";
import { type Digest, digestOf, findDigest } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { bytesOf, errorCode, putManifest, type Running, runRegistry } from "../_fixtures/running-registry.ts";
import { openStorage } from "../storage/storage.ts";
import { PullThrough } from "./pull-through.ts";
import type { Upstream, UpstreamManifest } from "./upstream.ts";

/** A registry in memory, by the interface that a cache sees; a test may have it fail. */
class FakeUpstream implements Upstream {
  readonly manifests = new Map<string, UpstreamManifest>();
  readonly blobs = new Map<Digest, Uint8Array>();
  readonly asked: string[] = [];
  isDown = false;
  /** Ends the next answer with a blob after so many bytes. */
  cutAfter: number | undefined;
  /** Every chunk of a blob waits for it. */
  gate: Promise<void> = Promise.resolve();

  image(layer: Uint8Array, tag: string): { readonly digest: Digest; readonly layer: Digest } {
    const config = this.#blob(bytesOf(`{"of":"${digestOf(layer)}"}`));
    const stored = this.#blob(layer);
    const bytes = bytesOf(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.ociManifest,
        config: { mediaType: MEDIA_TYPE.ociConfig, ...config },
        layers: [{ mediaType: MEDIA_TYPE.ociLayer, ...stored }],
      }),
    );
    const manifest = { bytes, digest: digestOf(bytes), mediaType: MEDIA_TYPE.ociManifest };
    for (const key of [tag, manifest.digest]) this.manifests.set(`app ${key}`, manifest);
    return { digest: manifest.digest, layer: stored.digest };
  }

  async manifest(repository: string, reference: string): Promise<UpstreamManifest> {
    this.#ask(`manifest ${findDigest(reference) === undefined ? reference : "by digest"}`);
    const found = this.manifests.get(`${repository} ${reference}`);
    if (found === undefined) throw new EngineError("not-found", "no such manifest");
    return found;
  }

  async findManifest(repository: string, reference: string): Promise<UpstreamManifest | undefined> {
    this.#ask(`find ${reference}`);
    return this.manifests.get(`${repository} ${reference}`);
  }

  async findBlob(repository: string, digest: Digest): Promise<{ size: number } | undefined> {
    this.#ask("find blob");
    const found = repository === "app" ? this.blobs.get(digest) : undefined;
    return found && { size: found.byteLength };
  }

  async *blob(
    _repository: string,
    { digest }: { readonly digest: Digest },
    offset: number,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    this.#ask(`blob from ${offset}`);
    const bytes = this.blobs.get(digest) ?? new Uint8Array();
    const end = this.cutAfter ?? bytes.byteLength;
    this.cutAfter = undefined;
    for (let at = offset; at < end; at += 64 * 1024) {
      await this.gate;
      signal.throwIfAborted();
      yield bytes.subarray(at, Math.min(end, at + 64 * 1024));
    }
    if (end < bytes.byteLength) throw new EngineError("unavailable", "cut");
  }

  #blob(bytes: Uint8Array): { readonly digest: Digest; readonly size: number } {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { digest, size: bytes.byteLength };
  }

  #ask(what: string): void {
    if (this.isDown) throw new EngineError("unavailable", "connection refused");
    this.asked.push(what);
  }
}

const LAYER = new Uint8Array(3_000_000).map((_, index) => (index * 7919) % 253);

async function cacheOf(upstream: Upstream): Promise<Running & { pass(ms: number): void }> {
  let ahead = 0;
  const now = (): number => Date.now() + ahead;
  const source = Promise.withResolvers<PullThrough>();
  const running = await runRegistry({
    now,
    source: {
      refresh: async (...args) => await (await source.promise).refresh(...args),
      blob: async (...args) => await (await source.promise).blob(...args),
    },
  });
  const { storage } = running;
  source.resolve(
    new PullThrough({ storage, upstream, log: silentLogger, freshMs: 60_000, maxBlobBytes: 5_000_000 }),
  );
  return {
    ...running,
    pass: (ms) => {
      ahead += ms;
    },
  };
}

async function bytesAt(
  registry: Running,
  path: string,
  headers: Record<string, string> = {},
): Promise<Uint8Array> {
  return new Uint8Array(await (await registry.ask("GET", path, { headers })).arrayBuffer());
}

test("what upstream has is got once, and served from here afterwards, also while upstream is down", async () => {
  const upstream = new FakeUpstream();
  const { digest, layer } = upstream.image(LAYER, "v1");
  await using cache = await cacheOf(upstream);
  for (let time = 0; time < 2; time++) {
    const answer = await cache.ask("GET", "/v2/app/manifests/v1");
    expect([answer.status, answer.headers.get("docker-content-digest")]).toEqual([200, digest]);
    expect(digestOf(await bytesAt(cache, `/v2/app/blobs/${layer}`))).toBe(layer);
  }
  expect(upstream.asked).toEqual(["find v1", "manifest v1", "blob from 0"]);
  cache.pass(120_000);
  upstream.isDown = true;
  expect((await cache.ask("GET", "/v2/app/manifests/v1")).status).toBe(200);
  expect((await cache.ask("GET", `/v2/app/manifests/${digest}`)).status).toBe(200);
  const unknown = await cache.ask("GET", "/v2/app/manifests/v2");
  expect([unknown.status, await errorCode(unknown)]).toEqual([503, "UNAVAILABLE"]);
});

test("a tag is asked about again when it is stale, and follows upstream", async () => {
  const upstream = new FakeUpstream();
  const first = upstream.image(bytesOf("one"), "latest");
  await using cache = await cacheOf(upstream);
  const named = async (): Promise<string | null> =>
    (await cache.ask("HEAD", "/v2/app/manifests/latest")).headers.get("docker-content-digest");
  expect(await named()).toBe(first.digest);
  const second = upstream.image(bytesOf("two"), "latest");
  expect(await named()).toBe(first.digest);
  cache.pass(61_000);
  expect(await named()).toBe(second.digest);
  cache.pass(61_000);
  await named();
  expect(upstream.asked).toEqual([
    "find latest",
    "manifest latest",
    "find latest",
    "manifest latest",
    "find latest",
  ]);
  upstream.manifests.delete("app latest");
  cache.pass(61_000);
  expect((await cache.ask("GET", "/v2/app/manifests/latest")).status).toBe(404);
});

test("clients that want the same blob at once share one download", async () => {
  const upstream = new FakeUpstream();
  const { layer } = upstream.image(LAYER, "v1");
  await using cache = await cacheOf(upstream);
  await cache.ask("GET", "/v2/app/manifests/v1");
  const path = `/v2/app/blobs/${layer}`;
  const [whole, part, other] = await Promise.all([
    bytesAt(cache, path),
    bytesAt(cache, path, { Range: "bytes=2500000-2500009" }),
    bytesAt(cache, path),
  ]);
  expect(digestOf(whole)).toBe(layer);
  expect(digestOf(other)).toBe(layer);
  expect(Buffer.from(part)).toEqual(Buffer.from(LAYER.slice(2_500_000, 2_500_010)));
  expect(upstream.asked.filter((what) => what.startsWith("blob"))).toEqual(["blob from 0"]);
});

test("a download that is cut goes on where it was", async () => {
  const upstream = new FakeUpstream();
  const { layer } = upstream.image(LAYER, "v1");
  upstream.cutAfter = 1_000_000;
  await using cache = await cacheOf(upstream);
  await cache.ask("GET", "/v2/app/manifests/v1");
  expect(digestOf(await bytesAt(cache, `/v2/app/blobs/${layer}`))).toBe(layer);
  expect(upstream.asked.slice(-2)).toEqual(["blob from 0", "blob from 1000000"]);
});

test("a client that goes leaves what came for the next one", async () => {
  const upstream = new FakeUpstream();
  const { layer } = upstream.image(LAYER, "v1");
  await using cache = await cacheOf(upstream);
  await cache.ask("GET", "/v2/app/manifests/v1");
  const gate = Promise.withResolvers<void>();
  let chunks = 0;
  const { blob } = { blob: upstream.blob.bind(upstream) };
  upstream.blob = async function* (...args) {
    for await (const chunk of blob(...args)) {
      // the client goes when more than a buffer of the file is there
      if (++chunks === 30) await gate.promise;
      args[3].throwIfAborted();
      yield chunk;
    }
  };
  const leave = new AbortController();
  const answer = await cache.ask("GET", `/v2/app/blobs/${layer}`, { signal: leave.signal });
  const reader = answer.body?.getReader();
  await reader?.read();
  leave.abort();
  await reader?.read().catch(() => undefined);
  // the next one comes while the first download may still be ending
  const again = bytesAt(cache, `/v2/app/blobs/${layer}`);
  gate.resolve();
  expect(digestOf(await again)).toBe(layer);
  expect(await readdir(cache.storage.layout.incoming)).toEqual([]);
});

test("a blob that upstream sends wrong is never whole for a client, nor kept", async () => {
  const upstream = new FakeUpstream();
  const { layer } = upstream.image(LAYER, "v1");
  upstream.blobs.set(layer, new Uint8Array(LAYER.byteLength));
  await using cache = await cacheOf(upstream);
  await cache.ask("GET", "/v2/app/manifests/v1");
  await expect(bytesAt(cache, `/v2/app/blobs/${layer}`)).rejects.toThrow();
  expect(await cache.storage.blobs.size(layer)).toBeUndefined();
  expect(await readdir(cache.storage.layout.incoming)).toEqual([]);
  upstream.blobs.set(layer, LAYER);
  expect(digestOf(await bytesAt(cache, `/v2/app/blobs/${layer}`))).toBe(layer);
});

test("a blob that is here for one repository is not so for another that has it not upstream", async () => {
  const upstream = new FakeUpstream();
  const { layer } = upstream.image(LAYER, "v1");
  await using cache = await cacheOf(upstream);
  await cache.ask("GET", "/v2/app/manifests/v1");
  await bytesAt(cache, `/v2/app/blobs/${layer}`);
  expect((await cache.ask("GET", `/v2/other/blobs/${layer}`)).status).toBe(404);
  expect((await cache.ask("HEAD", `/v2/other/blobs/${layer}`)).status).toBe(404);
});

test("a blob that is too large for the cache is not fetched", async () => {
  const upstream = new FakeUpstream();
  const { layer } = upstream.image(new Uint8Array(5_000_001), "v1");
  await using cache = await cacheOf(upstream);
  await cache.ask("GET", "/v2/app/manifests/v1");
  const answer = await cache.ask("GET", `/v2/app/blobs/${layer}`);
  expect([answer.status, await errorCode(answer)]).toEqual([403, "DENIED"]);
  expect(upstream.asked.some((what) => what.startsWith("blob"))).toBe(false);
});

test("a cache takes nothing from its clients", async () => {
  await using cache = await cacheOf(new FakeUpstream());
  const answer = await putManifest(cache, "app/manifests/v1", bytesOf("{}"));
  expect([answer.status, await errorCode(answer)]).toEqual([405, "UNSUPPORTED"]);
  expect((await cache.ask("POST", "/v2/app/blobs/uploads/")).status).toBe(405);
  expect((await cache.ask("DELETE", "/v2/app/manifests/v1")).status).toBe(405);
});

test("nonsense and refusals of upstream are told as what they are", async () => {
  const upstream = new FakeUpstream();
  await using cache = await cacheOf(upstream);
  const nonsense = { bytes: bytesOf("{}"), digest: digestOf("{}"), mediaType: "" };
  upstream.manifests.set("app bad", nonsense);
  expect((await cache.ask("GET", "/v2/app/manifests/bad")).status).toBe(502);
  upstream.findManifest = () => Promise.reject(new EngineError("unauthorized", "no"));
  const denied = await cache.ask("GET", "/v2/app/manifests/other");
  expect([denied.status, await errorCode(denied)]).toEqual([403, "DENIED"]);
});

test("the same folder may be opened again without what upstream gave", async () => {
  const upstream = new FakeUpstream();
  const { digest } = upstream.image(LAYER, "v1");
  await using cache = await cacheOf(upstream);
  await cache.ask("GET", "/v2/app/manifests/v1");
  const storage = await openStorage({ root: cache.root });
  expect(storage.usage.blobCount).toBe(1);
  expect(await storage.blobs.size(digest)).toBeGreaterThan(0);
});
