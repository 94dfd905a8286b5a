import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { EngineError } from "#base/errors.ts";
import { digestOf, parseDigest } from "#oci/digest.ts";
import { failureOf, gather, inChunks, NO_SIGNAL, temporaryFolder } from "../_fixtures.ts";
import { ContentStore } from "./content-store.ts";

const bytes = new Uint8Array(3_000_000).map((_, index) => index * 7);
const digest = digestOf(bytes);
const sha512 = parseDigest(`sha512:${createHash("sha512").update(bytes).digest("hex")}`);

/** Every file below the store's folder, relative. */
function filesOf(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath.slice(root.length + 1)}/${entry.name}`);
}

test("what is written is read back by its digest", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  const stored = await store.write(inChunks(bytes), { digest, size: bytes.length }, NO_SIGNAL);
  expect(stored).toEqual({ digest, size: bytes.length });
  expect(await gather(store.read(digest))).toEqual(bytes);
  expect(await gather(store.read(digest, 2_999_000))).toEqual(bytes.slice(2_999_000));
  expect(Uint8Array.from(await store.readBytes(digest, bytes.length))).toEqual(bytes);
  expect(await Array.fromAsync(store.list())).toMatchObject([{ digest, size: bytes.length }]);
  expect(filesOf(folder.path)).toEqual([`blobs/sha256/${digest.slice(7)}`]);
});

test("another algorithm has its own folder", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  await store.write(inChunks(bytes), { digest: sha512 }, NO_SIGNAL);
  expect(await store.find(sha512)).toEqual({ size: bytes.length });
  expect(await store.find(digest)).toBeUndefined();
});

const other = digestOf("something else");
const wrong: [string, Parameters<ContentStore["write"]>[1], RegExp][] = [
  ["wrong bytes", { digest: other }, /: its bytes have the digest sha256:/],
  [
    "wrong bytes of the right size",
    { digest: other, size: bytes.length },
    /: its bytes have the digest sha256:/,
  ],
  ["a short body", { digest, size: bytes.length + 1 }, /: it has 3000000 bytes, 3000001 were expected$/],
  ["a long body", { digest, size: bytes.length - 1 }, /: it is longer than the 2999999 bytes expected$/],
  [
    "bytes of another algorithm's digest",
    { digest: parseDigest(`sha512:${"0".repeat(128)}`) },
    /digest sha512:/,
  ],
];
for (const [what, expected, message] of wrong) {
  test(`write() leaves nothing behind for ${what}`, async () => {
    using folder = temporaryFolder();
    const store = await ContentStore.open(folder.path);
    const error = await failureOf(store.write(inChunks(bytes), expected, NO_SIGNAL));
    expect(EngineError.is(error, "corrupt")).toBe(true);
    expect(error.message).toMatch(message);
    expect(filesOf(folder.path)).toEqual([]);
  });
}

test("a body without end is cut at the expected size", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  let sent = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      sent += 65_536;
      yield new Uint8Array(65_536);
    }
  }
  await failureOf(store.write(endless(), { digest, size: 100_000 }, NO_SIGNAL));
  expect(sent).toBe(131_072);
});

test("a source that fails, or a caller that goes, leaves nothing behind", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield bytes;
    throw new Error("cut");
  }
  expect((await failureOf(store.write(failing(), {}, NO_SIGNAL))).message).toBe("cut");
  const gone = AbortSignal.abort(new Error("gone"));
  expect((await failureOf(store.write(inChunks(bytes), {}, gone))).message).toBe("gone");
  expect(filesOf(folder.path)).toEqual([]);
});

test("a blob already present is success, without reading the source", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  await store.writeBytes(bytes);
  let isRead = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    isRead = true;
    yield bytes;
  }
  expect(await store.write(source(), { digest }, NO_SIGNAL)).toEqual({ digest, size: bytes.length });
  expect(isRead).toBe(false);
});

test("two writers of one blob both succeed", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  await Promise.all([1, 2, 3].map(() => store.write(inChunks(bytes), { digest }, NO_SIGNAL)));
  expect(filesOf(folder.path)).toHaveLength(1);
});

test("an ingest that was cut goes on where it stopped", async () => {
  using folder = temporaryFolder();
  const expected = { digest, size: bytes.length };
  {
    const store = await ContentStore.open(folder.path);
    await using first = await store.resume(expected);
    expect(first.offset).toBe(0);
    await first.append(bytes.slice(0, 1_500_000));
  }
  const store = await ContentStore.open(folder.path);
  await store.recover();
  await using second = await store.resume(expected);
  expect(second.offset).toBe(1_500_000);
  await second.append(bytes.slice(1_500_000));
  await second.commit();
  expect(await gather(store.read(digest))).toEqual(bytes);
});

test("a resumed ingest of wrong bytes drops them all", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  {
    await using ingest = await store.resume({ digest: other, size: bytes.length });
    await ingest.append(bytes);
    expect((await failureOf(ingest.commit())).message).toMatch(/its bytes have the digest/);
  }
  await using again = await store.resume({ digest: other, size: bytes.length });
  expect(again.offset).toBe(0);
});

test("a part that is longer than the blob is started anew", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  writeFileSync(folder.at("ingest", `sha256-${digest.slice(7)}.part`), "too long");
  await using ingest = await store.resume({ digest, size: 3 });
  expect(ingest.offset).toBe(0);
});

test("a second ingest of the same blob waits for the first", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  const expected = { digest, size: bytes.length };
  const first = await store.resume(expected);
  const second = store.resume(expected);
  await first.append(bytes.slice(0, 10));
  await first[Symbol.asyncDispose]();
  await using ingest = await second;
  expect(ingest.offset).toBe(10);
});

test("recover() removes what was being written and parts that nobody came back to", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  for (const name of ["a.new", "sha256-old.part", "sha256-fresh.part"])
    writeFileSync(folder.at("ingest", name), "x");
  utimesSync(folder.at("ingest", "sha256-old.part"), 1, 1);
  await store.recover();
  expect(readdirSync(folder.at("ingest"))).toEqual(["sha256-fresh.part"]);
});

test("bytes that the disk lost are named, not returned", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  const { digest: small } = await store.writeBytes(new TextEncoder().encode("hello"));
  chmodSync(store.path(small), 0o644);
  writeFileSync(store.path(small), "jello");
  const error = await failureOf(store.readBytes(small, 100));
  expect(EngineError.is(error, "corrupt")).toBe(true);
});

test("readBytes() refuses what is larger than asked, and what is not there", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  await store.writeBytes(bytes);
  expect(EngineError.is(await failureOf(store.readBytes(digest, 10)), "invalid")).toBe(true);
  expect(EngineError.is(await failureOf(store.readBytes(other, 10)), "not-found")).toBe(true);
  expect(EngineError.is(await failureOf(gather(store.read(other))), "not-found")).toBe(true);
});

test("remove() takes a blob away, and is content when there is none", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.path);
  await store.writeBytes(bytes);
  await store.remove(digest);
  await store.remove(digest);
  expect(await store.find(digest)).toBeUndefined();
});

test("folders are for root alone, blobs are read-only", async () => {
  using folder = temporaryFolder();
  const store = await ContentStore.open(folder.at("content"));
  await store.writeBytes(bytes);
  for (const path of ["content", "content/blobs", "content/blobs/sha256", "content/ingest"]) {
    expect([path, statSync(folder.at(path)).mode & 0o777]).toEqual([path, 0o700]);
  }
  expect(statSync(store.path(digest)).mode & 0o777).toBe(0o444);
});
