import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { fakeWorld, runInWorld } from "../_testing/fake-context.ts";
import { FakeEngine } from "../_testing/fake-engine.ts";
import { cloneVolume } from "./volume-clone.ts";
import { createVolume } from "./volume-create.ts";
import { exportVolume } from "./volume-export.ts";
import { importVolume } from "./volume-import.ts";
import { listVolumes } from "./volume-ls.ts";
import { pruneVolumes } from "./volume-prune.ts";
import { renameVolume } from "./volume-rename.ts";
import { updateVolume } from "./volume-update.ts";

test("volume export streams the archive, or writes it to a file, but never to a terminal", async () => {
  const folder = mkdtempSync(join(tmpdir(), "darse-volume-"));
  try {
    await using engine = await FakeEngine.open({ "GET /volumes/v/export": () => ({ json: "tar" }) });
    const world = fakeWorld(engine.client);
    expect(await runInWorld(exportVolume, ["v"], world)).toBe(0);
    expect(world.out.text).toBe('"tar"\n');
    const path = join(folder, "v.tar");
    await runInWorld(exportVolume, ["-o", path, "v"], fakeWorld(engine.client));
    expect(readFileSync(path, "utf8")).toBe('"tar"\n');
    const terminal = fakeWorld(engine.client, "", { hasTerminal: true });
    expect(runInWorld(exportVolume, ["v"], terminal)).rejects.toThrow("cowardly refusing");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("volume import sends standard input, or a file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "darse-volume-"));
  try {
    await using engine = await FakeEngine.open({ "POST /volumes/v/import": () => ({ status: 204 }) });
    const world = fakeWorld(engine.client, "from stdin");
    expect(await runInWorld(importVolume, ["v"], world)).toBe(0);
    const path = join(folder, "v.tar");
    writeFileSync(path, "from file");
    await runInWorld(importVolume, ["--input", path, "v"], fakeWorld(engine.client));
    expect(engine.seen.map(({ body }) => String(body))).toEqual(["from stdin", "from file"]);
    expect(world.out.text).toBe("v\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("volume clone and rename send the new name", async () => {
  await using engine = await FakeEngine.open({
    "POST /volumes/a/clone": () => ({ status: 201, json: { Name: "b" } }),
    "POST /volumes/a/rename": () => ({ status: 204 }),
  });
  const world = fakeWorld(engine.client);
  await runInWorld(cloneVolume, ["a", "b"], world);
  await runInWorld(renameVolume, ["a", "c"], world);
  expect(engine.seen.map(({ query }) => query.get("name"))).toEqual(["b", "c"]);
  expect(world.out.text).toBe("b\n");
});

test("what belongs to cluster volumes is refused by its name", async () => {
  await using engine = await FakeEngine.open({ "GET /volumes/v": () => ({ json: { Name: "v" } }) });
  const world = fakeWorld(engine.client);
  expect(runInWorld(createVolume, ["--limit-bytes", "1g", "v"], world)).rejects.toThrow(
    "Cannot use --limit-bytes: it is for cluster volumes",
  );
  expect(runInWorld(updateVolume, ["v"], world)).rejects.toThrow("can only update cluster volumes");
  expect(runInWorld(updateVolume, ["none"], world)).rejects.toThrow("page not found");
});

test("volume ls shows people whom a nameless volume served, and programs docker's table", async () => {
  const Status = { Container: "c1", ContainerName: "db", Image: "mariadb", Path: "/var/lib/mysql" };
  const named = { Name: "named", Driver: "local", Scope: "local" };
  const Volumes = [named, { ...named, Name: "a".repeat(8), Status }];
  await using engine = await FakeEngine.open({ "GET /volumes": () => ({ json: { Volumes } }) });
  const piped = fakeWorld(engine.client);
  await runInWorld(listVolumes, [], piped);
  expect(piped.out.text).toBe("DRIVER    VOLUME NAME\nlocal     named\nlocal     aaaaaaaa\n");
  const seen = fakeWorld(engine.client, "", { hasTerminal: true });
  await runInWorld(listVolumes, [], seen);
  expect(seen.out.text).toBe(`DRIVER    VOLUME NAME   SERVED
local     named         
local     aaaaaaaa      db (mariadb) /var/lib/mysql
`);
});

test("volume prune --all says so to the engine, and not twice", async () => {
  await using engine = await FakeEngine.open({
    "POST /volumes/prune": () => ({ json: { VolumesDeleted: null, SpaceReclaimed: 0 } }),
  });
  await runInWorld(pruneVolumes, ["-af", "--filter", "label=x"], fakeWorld(engine.client));
  expect(engine.seen[0]?.query.get("filters")).toBe('{"label":["x"],"all":["true"]}');
  const both = runInWorld(pruneVolumes, ["-a", "--filter", "all=1"], fakeWorld(engine.client));
  expect(both).rejects.toThrow("cannot specify both --all and --filter all=1");
});
