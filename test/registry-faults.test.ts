import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { type Digest, digestOf } from "../src/oci/digest.ts";
import { MEDIA_TYPE } from "../src/oci/media-types.ts";
import { DARSE, run } from "./engine.ts";
import { type DarseRegistry, startDarseRegistry } from "./fixtures/darse-registry.ts";
import { startDockerRegistry } from "./fixtures/docker-registry.ts";
import { needs } from "./needs.ts";

const BLOB = "the bytes of a blob that is sent in one piece, and cut at every point of its request";
const DIGEST = digestOf(BLOB);

needs()(
  "an upload that is cut at any point goes on from what came",
  async () => {
    await using registry = await startDarseRegistry();
    const requestTo = (location: string): string =>
      `PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: ${BLOB.length}\r\n\r\n${BLOB}`;
    const length = requestTo(await begin(registry)).length;
    for (let cut = 0; cut <= length; cut++) {
      const location = await begin(registry);
      await sendAndCut(registry, requestTo(location).slice(0, cut));
      const came = cut < length - BLOB.length ? 0 : await takenFor(registry, location);
      expect(came).toBeLessThanOrEqual(Math.max(0, cut - (length - BLOB.length)));
      const rest = BLOB.slice(came);
      const answer = await fetch(`http://${registry.host}${location}?digest=${DIGEST}`, {
        method: "PUT",
        body: rest,
        headers: rest === "" ? {} : { "Content-Range": `${came}-${BLOB.length - 1}` },
      });
      expect([cut, answer.status]).toEqual([cut, 201]);
      await answer.arrayBuffer();
    }
    const stored = await fetch(`http://${registry.host}/v2/app/blobs/${DIGEST}`);
    expect(await stored.text()).toBe(BLOB);
  },
  120_000,
);

async function begin({ host }: DarseRegistry): Promise<string> {
  const answer = await fetch(`http://${host}/v2/app/blobs/uploads/`, { method: "POST" });
  return answer.headers.get("location") ?? "";
}

async function sendAndCut({ host }: DarseRegistry, text: string): Promise<void> {
  const socket = connect(Number(host.split(":")[1]), "127.0.0.1");
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  // the whole of it is on its way before the end is
  await new Promise((resolve) => socket.end(text, () => resolve(undefined)));
  socket.resume();
  await new Promise((resolve) => socket.once("close", resolve));
}

/** How many bytes came for an upload, when the registry has noticed the cut: its status says the same. */
async function takenFor({ host, log }: DarseRegistry, location: string): Promise<number> {
  for (;;) {
    const entry = log.find(({ path, method }) => path === location && method === "PATCH");
    if (entry === undefined) {
      await Bun.sleep(1);
      continue;
    }
    const received = Number(entry["received"]);
    const status = await fetch(`http://${host}${location}`);
    expect(status.headers.get("range")).toBe(`0-${Math.max(0, received - 1)}`);
    return received;
  }
}

interface Pushed {
  readonly tag: string;
  readonly manifest: Digest;
}

needs("docker-registry")(
  "a registry that is killed while many push has no tag that is not whole",
  async () => {
    const root = await mkdtemp(join(tmpdir(), "darse-killed-"));
    try {
      const acknowledged: Pushed[] = [];
      for (let round = 0; round < 6; round++) {
        await using registry = await startDarseRegistry({ root, args: ["--gc-grace", "1h"] });
        const pushes = [0, 1, 2, 3].map((worker) =>
          pushUntilKilled(registry, `r${round}w${worker}`, acknowledged),
        );
        const wanted = acknowledged.length + 1 + (round % 5);
        while (acknowledged.length < wanted) await Bun.sleep(1);
        await registry.end("SIGKILL");
        await Promise.all(pushes);
      }
      await using registry = await startDarseRegistry({ root });
      const tags = await tagsOf(registry.host);
      expect(tags).toEqual(expect.arrayContaining(acknowledged.map(({ tag }) => tag)));
      for (const tag of tags) await expectWhole(registry.host, tag);
      await registry.end("SIGTERM");
      expect((await run(DARSE, ["registry", "gc", "--root", root, "--grace", "0s"])).code).toBe(0);
      await using theirs = await startDockerRegistry({ root });
      for (const tag of tags) await expectWhole(theirs.host, tag);
    } finally {
      await rm(root, { recursive: true });
    }
  },
  120_000,
);

/** Pushes image after image; a push that the end of the registry cuts is none. */
async function pushUntilKilled(
  { host }: DarseRegistry,
  prefix: string,
  acknowledged: Pushed[],
): Promise<void> {
  for (let count = 0; ; count++) {
    const tag = `${prefix}n${count}`;
    try {
      acknowledged.push({ tag, manifest: await pushOne(host, tag) });
    } catch {
      return;
    }
  }
}

async function pushOne(host: string, tag: string): Promise<Digest> {
  const put = async (text: string): Promise<{ digest: Digest; size: number }> => {
    const digest = digestOf(text);
    const answer = await fetch(`http://${host}/v2/app/blobs/uploads/?digest=${digest}`, {
      method: "POST",
      body: text,
    });
    if (answer.status !== 201) throw new Error(`${answer.status}`);
    return { digest, size: text.length };
  };
  const config = await put(`{"tag":"${tag}"}`);
  const layers = [await put(`layer of ${tag}`.repeat(1000)), await put("layer that all share")];
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: { mediaType: MEDIA_TYPE.ociConfig, ...config },
    layers: layers.map((layer) => ({ mediaType: MEDIA_TYPE.ociLayer, ...layer })),
  });
  const answer = await fetch(`http://${host}/v2/app/manifests/${tag}`, {
    method: "PUT",
    body: manifest,
    headers: { "Content-Type": MEDIA_TYPE.ociManifest },
  });
  if (answer.status !== 201) throw new Error(`${answer.status}`);
  return digestOf(manifest);
}

async function tagsOf(host: string): Promise<string[]> {
  const answer = await fetch(`http://${host}/v2/app/tags/list`);
  return ((await answer.json()) as { tags: string[] }).tags;
}

async function expectWhole(host: string, tag: string): Promise<void> {
  const answer = await fetch(`http://${host}/v2/app/manifests/${tag}`, {
    headers: { Accept: MEDIA_TYPE.ociManifest },
  });
  expect([tag, answer.status]).toEqual([tag, 200]);
  const { config, layers } = (await answer.json()) as Record<"config", { digest: string }> & {
    layers: { digest: string }[];
  };
  for (const { digest } of [config, ...layers]) {
    const blob = await fetch(`http://${host}/v2/app/blobs/${digest}`);
    expect(digestOf(new Uint8Array(await blob.arrayBuffer()))).toBe(digest as Digest);
  }
}

needs("root")("a full disk is said, leaves whole blobs, and what is freed can be used", async () => {
  const root = await mkdtemp(join(tmpdir(), "darse-full-"));
  expect((await run("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", root])).code).toBe(0);
  try {
    await using registry = await startDarseRegistry({ root, args: ["--gc-grace", "0s"] });
    const blobs = Array.from({ length: 12 }, (_, index) => new Uint8Array(1024 * 1024).fill(index));
    const statuses: number[] = [];
    for (const blob of blobs) statuses.push(await pushBlob(registry, blob));
    const stored = blobs.filter((_, index) => statuses[index] === 201);
    expect(stored.length).toBeGreaterThan(3);
    expect(stored.length).toBeLessThan(8);
    expect(new Set(statuses)).toEqual(new Set([201, 507]));
    for (const blob of stored) {
      const answer = await fetch(`http://${registry.host}/v2/app/blobs/${digestOf(blob)}`);
      expect(digestOf(new Uint8Array(await answer.arrayBuffer()))).toBe(digestOf(blob));
    }
    expect((await run(DARSE, ["registry", "gc", "--root", root])).stdout).toStartWith(
      `Removed ${stored.length} blobs`,
    );
    const last = blobs.at(-1) ?? new Uint8Array();
    expect(await pushBlob(registry, last)).toBe(201);
  } finally {
    await run("umount", ["-l", root]);
    await rm(root, { recursive: true });
  }
});

async function pushBlob({ host }: DarseRegistry, blob: Uint8Array<ArrayBuffer>): Promise<number> {
  const url = `http://${host}/v2/app/blobs/uploads/?digest=${digestOf(blob)}`;
  const answer = await fetch(url, { method: "POST", body: blob });
  await answer.arrayBuffer();
  return answer.status;
}
