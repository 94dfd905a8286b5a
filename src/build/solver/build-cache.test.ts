import { expect, test } from "bun:test";
import { graphOf, layerOf, memoryDocuments } from "../_fixtures/fakes.ts";
import { digestOf } from "#oci/digest.ts";
import { BuildCache } from "./build-cache.ts";

const record = (name: string) => ({
  digest: digestOf(name),
  fileSystem: { layers: [layerOf(`below ${name}`), layerOf(name)] },
  title: name,
  sizeBytes: 1,
  createdAt: 5,
});

test("a record is found by its digest and by its content", () => {
  const cache = new BuildCache(memoryDocuments(), () => 10);
  cache.put(record("a"), digestOf("content"));
  expect(cache.find(digestOf("a"))).toEqual({ ...record("a"), lastUsedAt: 10 });
  expect(cache.findByContent(digestOf("content"))).toEqual({ ...record("a"), lastUsedAt: 10 });
  expect(cache.find(digestOf("b"))).toBeUndefined();
  expect(cache.findByContent(digestOf("b"))).toBeUndefined();
});

test("roots name every blob and every chain below a record", () => {
  const cache = new BuildCache(memoryDocuments(), () => 10);
  cache.put(record("a"), digestOf("1"));
  cache.put(record("b"), digestOf("2"));
  const { digests, chainIds } = cache.roots();
  expect(digests).toHaveLength(4);
  expect(chainIds).toHaveLength(4);
});

test("prune() removes what was not used since, and everything without a limit", () => {
  let now = 1000;
  const documents = memoryDocuments();
  const cache = new BuildCache(documents, () => now);
  cache.put(record("old"), digestOf("1"));
  now = 2000;
  cache.put(record("new"), digestOf("2"));
  documents.put("cache-mount:k", { id: "of the executor" });
  expect(cache.prune({ unusedSince: 1500 }).map(({ title }) => title)).toEqual(["old"]);
  expect(cache.findByContent(digestOf("1"))).toBeUndefined();
  expect(cache.findByContent(digestOf("2"))).toBeDefined();
  expect(cache.prune({}).map(({ title }) => title)).toEqual(["new"]);
  expect(documents.all().map(({ id }) => id)).toEqual(["cache-mount:k"]);
});

test("a use is noted when the last one is long ago", () => {
  let now = 0;
  const cache = new BuildCache(memoryDocuments(), () => now);
  cache.put(record("a"), digestOf("1"));
  const touch = (): number | undefined => {
    const found = cache.find(digestOf("a"));
    if (found !== undefined) cache.touch(found);
    return cache.find(digestOf("a"))?.lastUsedAt;
  };
  now = 60_000;
  expect(touch()).toBe(0);
  now = 2 * 3_600_000;
  expect(touch()).toBe(now);
});

test("a record that does not read is as good as absent", () => {
  const documents = memoryDocuments();
  documents.put(`step:${digestOf("a")}`, { layers: [{ descriptor: 5 }] });
  const cache = new BuildCache(documents, () => 0);
  expect(cache.find(digestOf("a"))).toBeUndefined();
  expect(cache.all()).toEqual([]);
});

const misses: [string, string, string][] = [
  ["FROM base\nRUN a", "FROM base\nRUN b", "the command changed"],
  ["FROM base\nENV A=1\nRUN a", "FROM base\nENV A=1 B=2\nRUN a", "the variable B changed"],
  ["FROM base\nWORKDIR /\nUSER u\nRUN a", "FROM base\nUSER v\nWORKDIR /\nRUN a", "the user changed"],
  ["FROM base\nRUN x\nRUN a", "FROM base\nRUN y\nRUN a", "a step before it changed"],
  [
    "FROM base\nRUN x\nCOPY <<f /\n1\nf",
    "FROM base\nRUN x\nCOPY <<f /\n2\nf",
    "the content of the sources changed",
  ],
  [
    "FROM base AS s\nRUN x\nFROM base\nCOPY --from=s / /",
    "FROM base AS s\nRUN y\nFROM base\nCOPY --from=s / /",
    "what it reads from another stage changed",
  ],
  ["FROM base\nCOPY <<f /\nf", "FROM base\nRUN x", "changed"],
];

for (const [before, after, reason] of misses) {
  test(`after ${JSON.stringify(before)}, ${JSON.stringify(after)} is a miss: ${reason}`, async () => {
    const cache = new BuildCache(memoryDocuments(), () => 0);
    cache.remember((await graphOf(before)).result.vertex);
    expect(cache.explainMiss((await graphOf(after)).result.vertex)).toContain(reason);
  });
}
