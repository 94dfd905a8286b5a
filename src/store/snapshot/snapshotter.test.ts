import { test } from "bun:test";
import { mkdirSync, unlinkSync } from "node:fs";
import { temporaryFolder } from "../_fixtures.ts";
import { CopyingSnapshotter } from "./copying-snapshotter.ts";
import { snapshotterSuite } from "./snapshotter-suite.ts";

snapshotterSuite(test, async () => {
  const folder = temporaryFolder();
  mkdirSync(folder.at("snapshots"));
  return {
    snapshotter: new CopyingSnapshotter(folder.at("snapshots")),
    mounts: folder.at("mounts"),
    unmount: (target) => unlinkSync(target),
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
});
