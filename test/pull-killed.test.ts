import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "bun:test";
import { TestEngine } from "./engine.ts";
import { startDarseRegistry } from "./fixtures/darse-registry.ts";
import { needs } from "./needs.ts";

// Case 7: an engine that is killed while it pulls has whole blobs and whole images, or none; the next pull goes on.

const LAYERS = 5;
const ROUNDS = 12;

/** Pushes an image of several layers, and returns what its container says of its files. */
async function publish(name: string): Promise<string> {
  await using maker = await TestEngine.start();
  const steps = Array.from({ length: LAYERS }, (_, n) => `RUN head -c 4000000 /dev/urandom > /file${n}`);
  const input = ["FROM busybox", ...steps, 'CMD ["sh", "-c", "sha256sum /file*"]'].join("\n");
  const built = await maker.darse(["build", "-q", "-t", name, "-"], { input });
  expect(built.code).toBe(0);
  const { stdout } = await maker.darse(["run", "--rm", name]);
  expect((await maker.darse(["push", "-q", name])).code).toBe(0);
  return stdout;
}

/** Names of blobs that are not what they are called. */
function wrongBlobs(root: string): string[] {
  const folder = join(root, "content/blobs/sha256");
  return readdirSync(folder).filter(
    (name) =>
      createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex") !== name,
  );
}

needs(
  "root",
  "overlay",
  "crun",
  "conmon",
  "nft",
  "busybox",
)(
  "case 7: a pull that dies at any moment leaves whole blobs and no half image",
  async () => {
    await using registry = await startDarseRegistry();
    const name = `${registry.host}/app:1`;
    const files = await publish(name);
    await using engine = await TestEngine.start();
    for (let round = 0; round < ROUNDS; round++) {
      const pull = engine.darse(["pull", name]);
      await Bun.sleep(round * 25);
      await engine.stopDaemon("SIGKILL");
      await pull;
      await engine.startDaemon();
      expect(wrongBlobs(engine.root)).toEqual([]);
      if ((await engine.darse(["image", "inspect", name])).code !== 0) continue;
      expect((await engine.darse(["run", "--rm", name])).stdout).toBe(files);
      expect((await engine.darse(["rmi", name])).code).toBe(0);
    }
    expect((await engine.darse(["pull", name])).code).toBe(0);
    expect((await engine.darse(["run", "--rm", name])).stdout).toBe(files);
    expect(readdirSync(join(engine.root, "content/ingest"))).toEqual([]);
  },
  120_000,
);
