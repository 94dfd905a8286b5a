import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "bun:test";
import { Fields } from "../src/base/decode.ts";
import { TestEngine } from "./engine.ts";
import { needs } from "./needs.ts";

/** What `du` says of some folders of the engine. */
function du(engine: TestEngine, ...folders: string[]): number {
  const paths = folders.map((folder) => join(engine.root, folder));
  const lines = execFileSync("du", ["-s", "--block-size=1", ...paths], { encoding: "utf8" });
  return lines
    .trim()
    .split("\n")
    .reduce((sum, line) => sum + Number.parseInt(line, 10), 0);
}

function expectNear(bytes: number | undefined, truth: number): void {
  expect(Math.abs((bytes ?? 0) - truth) / truth).toBeLessThan(0.01);
}

async function usageOf(engine: TestEngine, kind: string): Promise<Fields> {
  const { status, body } = await engine.api("GET", "/v1.55/system/df");
  expect(status).toBe(200);
  return new Fields(body).object(kind);
}

needs(
  "root",
  "overlay",
  "crun",
  "conmon",
  "busybox",
)("system df says what du says, and what image rm frees", async () => {
  await using engine = await TestEngine.start();
  const made = ["build", "-q", "-t", "many", "-"];
  const dockerfile =
    "FROM busybox\nRUN mkdir /d && i=0; while [ $i -lt 300 ]; do echo $i >/d/$i; i=$((i+1)); done; head -c 5000000 /dev/urandom >/big\n";
  const built = await engine.darse(made, { input: dockerfile });
  expect(built).toMatchObject({ code: 0 });
  await engine.darse(["builder", "prune", "-af"]);
  const images = await usageOf(engine, "ImageUsage");
  expect([images.integer("TotalCount"), images.integer("ActiveCount")]).toEqual([2, 0]);
  expectNear(images.integer("TotalSize"), du(engine, "content/blobs", "snapshots"));
  expect(images.integer("Reclaimable")).toBe(images.integer("TotalSize"));
  const before = images.integer("TotalSize") ?? 0;
  const list = (await engine.api("GET", "/v1.55/images/json?shared-size=1")).body;
  const many = new Fields({ list })
    .list("list", (value) => new Fields(value))
    ?.find((image) => image.strings("RepoTags")?.includes("many:latest"));
  const unique = (many?.integer("Size") ?? 0) - (many?.integer("SharedSize") ?? 0);
  await engine.darse(["image", "rm", "many"]);
  const after = (await usageOf(engine, "ImageUsage")).integer("TotalSize") ?? 0;
  expect(before - after).toBe(unique);
  expect(unique).toBeGreaterThan(10_000_000);
});

needs(
  "root",
  "overlay",
  "crun",
  "conmon",
  "busybox",
)("system df counts containers and volumes, those in use apart", async () => {
  await using engine = await TestEngine.start();
  const fill = "head -c 3000000 /dev/urandom >/x; head -c 2000000 /dev/urandom >/v/y";
  await engine.darse(["run", "--name", "one", "-v", "kept:/v", "busybox", "sh", "-c", fill]);
  await engine.darse(["volume", "create", "unused"]);
  const containers = await usageOf(engine, "ContainerUsage");
  expect(containers.integer("TotalCount")).toBe(1);
  expect(containers.integer("ActiveCount")).toBe(0);
  expect(containers.integer("TotalSize")).toBeGreaterThanOrEqual(3_000_000);
  expect(containers.integer("Reclaimable")).toBe(containers.integer("TotalSize"));
  const volumes = await usageOf(engine, "VolumeUsage");
  expect([volumes.integer("TotalCount"), volumes.integer("ActiveCount")]).toEqual([2, 1]);
  expectNear(volumes.integer("TotalSize"), du(engine, "volumes/kept/_data/y"));
  expect(volumes.integer("Reclaimable")).toBe(0);
  const images = await usageOf(engine, "ImageUsage");
  expect([images.integer("ActiveCount"), images.integer("Reclaimable")]).toEqual([1, 0]);
  const old = await engine.api("GET", "/v1.41/system/df");
  expect(Object.keys(old.body ?? {})).toEqual([
    "LayersSize",
    "Images",
    "Containers",
    "Volumes",
    "BuildCache",
  ]);
  const some = await engine.api("GET", "/v1.55/system/df?type=volume&verbose=1");
  expect(Object.keys(some.body ?? {})).toEqual(["VolumeUsage"]);
  expect((await engine.api("GET", "/v1.55/system/df?type=moon")).status).toBe(400);
  expect((await engine.darse(["system", "df"])).stdout).toMatch(/Images +1 +1 /);
});
