import { expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { silentLogger } from "#base/log.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { needs } from "../../test/needs.ts";
import { temporaryFolder } from "./_fixtures.ts";
import { ContentStore } from "./content/content-store.ts";
import { layout } from "./layout.ts";
import { openDatabase } from "./metadata/database.ts";
import { ensurePrivateDirectory } from "./private-directory.ts";
import { OverlaySnapshotter } from "./snapshot/overlay-snapshotter.ts";
import { VolumeStore } from "./volume/volume-store.ts";

const NOBODY = 65_534;

needs("root", "overlay")("another user can list, read and run nothing of the store", async () => {
  using folder = temporaryFolder();
  chmodSync(folder.path, 0o755);
  const paths = layout(folder.at("root"), folder.at("run"));
  ensurePrivateDirectory(paths.root);
  using database = openDatabase(paths.database);
  const kernel = openKernel();
  const log = silentLogger;
  const content = await ContentStore.open(paths.content);
  await using snapshotter = OverlaySnapshotter.open({
    root: paths.snapshots,
    records: database.documents("snapshots"),
    kernel,
    log,
  });
  await using volumes = VolumeStore.open({
    root: paths.volumes,
    records: database.documents("volumes"),
    kernel,
    log,
  });
  const { digest } = await content.writeBytes(Buffer.from("secret"));
  await snapshotter.prepare("a", undefined);
  const program = `${snapshotter.upperPath("a")}/program`;
  writeFileSync(program, "#!/bin/sh\necho ran");
  chmodSync(program, 0o4755);
  await volumes.create({ name: "web" });
  chmodSync(volumes.path("web"), 0o777);
  const attempts = [
    ["ls", paths.root],
    ["ls", volumes.path("web")],
    ["cat", content.path(digest)],
    ["cat", paths.database],
    ["touch", `${volumes.path("web")}/file`],
    [program],
  ];
  for (const [command = "", ...args] of attempts) {
    const { status, stdout } = spawnSync(command, args, { uid: NOBODY, gid: NOBODY, encoding: "utf8" });
    expect([command, args, status === 0, stdout ?? ""]).toEqual([command, args, false, ""]);
  }
});
