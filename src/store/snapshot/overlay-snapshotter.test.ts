import { expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { silentLogger } from "#base/log.ts";
import { MNT_DETACH } from "#linux/constants.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { needs } from "../../../test/needs.ts";
import { failureOf, temporaryFolder } from "../_fixtures.ts";
import { type Database, IN_MEMORY, openDatabase } from "../metadata/database.ts";
import { OverlaySnapshotter } from "./overlay-snapshotter.ts";
import { chainIdOf, factsOf, snapshotterSuite } from "./snapshotter-suite.ts";

const kernel = openKernel();
const overlay = needs("root", "overlay");

interface Opened extends AsyncDisposable {
  readonly snapshotter: OverlaySnapshotter;
  readonly database: Database;
  readonly root: string;
  readonly mounts: string;
  unmount(target: string): void;
  /** The same snapshots, as an engine started anew sees them. */
  reopen(): OverlaySnapshotter;
}

async function open(): Promise<Opened> {
  const folder = temporaryFolder();
  const database = openDatabase(IN_MEMORY);
  const root = folder.at("snapshots");
  const reopen = (): OverlaySnapshotter =>
    OverlaySnapshotter.open({
      root,
      records: database.documents("snapshots"),
      kernel,
      log: silentLogger,
      trashDelayMs: 60_000,
    });
  const snapshotter = reopen();
  return {
    snapshotter,
    database,
    root,
    mounts: folder.at("mounts"),
    unmount: (target) => kernel.unmount(target),
    reopen,
    [Symbol.asyncDispose]: async () => {
      for (const { target } of kernel.mounts()) {
        if (target.startsWith(folder.path)) kernel.unmount(target, MNT_DETACH);
      }
      await snapshotter[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      folder[Symbol.dispose]();
    },
  };
}

snapshotterSuite(overlay, open);

overlay("120 layers are mounted, each seen", async () => {
  await using it = await open();
  const count = 120;
  for (let index = 0; index < count; index++) {
    await using draft = await it.snapshotter.draft();
    writeFileSync(`${draft.path}/layer-${index}`, String(index));
    const parent = index === 0 ? undefined : chainIdOf(`${index - 1}`);
    await draft.commit({ ...factsOf(`${index}`), parent });
  }
  await it.snapshotter.prepare("a", chainIdOf(`${count - 1}`));
  it.snapshotter.mount("a", `${it.mounts}/a`);
  expect(readdirSync(`${it.mounts}/a`)).toHaveLength(count);
  expect(readFileSync(`${it.mounts}/a/layer-0`, "utf8")).toBe("0");
  writeFileSync(`${it.mounts}/a/layer-0`, "new");
  expect(readdirSync(it.snapshotter.upperPath("a"))).toEqual(["layer-0"]);
  it.unmount(`${it.mounts}/a`);
});

overlay("a view is read-only", async () => {
  await using it = await open();
  await using draft = await it.snapshotter.draft();
  await draft.commit({ ...factsOf("base"), parent: undefined });
  it.snapshotter.mountView(chainIdOf("base"), `${it.mounts}/view`);
  const error = await failureOf(() => writeFileSync(`${it.mounts}/view/file`, "x"));
  it.unmount(`${it.mounts}/view`);
  expect(error.message).toMatch(/EROFS/);
});

overlay("the root of a mount has the owner and mode that the layer gave it", async () => {
  await using it = await open();
  await using draft = await it.snapshotter.draft();
  chownSync(draft.path, 5, 6);
  chmodSync(draft.path, 0o1750);
  await draft.commit({ ...factsOf("base"), parent: undefined });
  await it.snapshotter.prepare("a", chainIdOf("base"));
  it.snapshotter.mount("a", `${it.mounts}/a`);
  const { uid, gid, mode } = statSync(`${it.mounts}/a`);
  it.unmount(`${it.mounts}/a`);
  expect([uid, gid, mode & 0o7777]).toEqual([5, 6, 0o1750]);
});

overlay("a layer whose root is opaque hides all that is below it", async () => {
  await using it = await open();
  await using lower = await it.snapshotter.draft();
  writeFileSync(`${lower.path}/old`, "");
  await lower.commit({ ...factsOf("lower"), parent: undefined });
  await using upper = await it.snapshotter.draft();
  writeFileSync(`${upper.path}/new`, "");
  kernel.setXattr(upper.path, "trusted.overlay.opaque", Buffer.from("y"));
  await upper.commit({ ...factsOf("upper"), parent: chainIdOf("lower") });
  it.snapshotter.mountView(chainIdOf("upper"), `${it.mounts}/view`);
  const names = readdirSync(`${it.mounts}/view`);
  it.unmount(`${it.mounts}/view`);
  expect(names).toEqual(["new"]);
});

overlay("the next engine finds what was there, and drops what has no record", async () => {
  await using it = await open();
  await using draft = await it.snapshotter.draft();
  await draft.commit({ ...factsOf("base"), parent: undefined });
  await it.snapshotter.prepare("kept", chainIdOf("base"));
  mkdirSync(`${it.root}/zz/diff`, { recursive: true });
  const next = it.reopen();
  await next.recover(new Set(["kept"]));
  expect(next.actives()).toEqual(["kept"]);
  expect(next.find(chainIdOf("base"))).toBeDefined();
  expect(existsSync(`${it.root}/zz`)).toBe(false);
  await next[Symbol.asyncDispose]();
});

overlay("the next engine forgets a snapshot whose files are gone", async () => {
  await using it = await open();
  await using draft = await it.snapshotter.draft();
  await draft.commit({ ...factsOf("base"), parent: undefined });
  rmSync(draft.path, { recursive: true });
  const next = it.reopen();
  await next.recover(new Set());
  expect(next.list()).toEqual([]);
  await next[Symbol.asyncDispose]();
});

overlay("a crash in the middle of commit leaves the committed snapshot", async () => {
  await using it = await open();
  await it.snapshotter.prepare("a", undefined);
  const before = it.database.documents("snapshots").find("active:a");
  writeFileSync(`${it.snapshotter.upperPath("a")}/file`, "x");
  await it.snapshotter.commit("a", factsOf("base"));
  it.database.documents("snapshots").put("active:a", before);
  const next = it.reopen();
  await next.recover(new Set(["a"]));
  expect(next.actives()).toEqual([]);
  next.mountView(chainIdOf("base"), `${it.mounts}/view`);
  expect(readdirSync(`${it.mounts}/view`)).toEqual(["file"]);
  it.unmount(`${it.mounts}/view`);
  await next[Symbol.asyncDispose]();
});

overlay(
  "a snapshot that was not flushed before the machine stopped is forgotten, with all that stands on it",
  async () => {
    await using it = await open();
    const names = ["flushed", "torn", "above"];
    for (const [index, name] of names.entries()) {
      await using draft = await it.snapshotter.draft();
      await draft.commit({
        ...factsOf(name),
        parent: index === 0 ? undefined : chainIdOf(names[index - 1] ?? ""),
      });
      if (index === 0) await it.snapshotter.flush();
    }
    await it.snapshotter.flush();
    const table = it.database.documents("snapshots");
    const torn = table.find(chainIdOf("torn"));
    expect(torn).not.toHaveProperty("volatileIn");
    table.put(chainIdOf("torn"), { ...Object(torn), volatileIn: "another boot" });
    const next = it.reopen();
    await next.recover(new Set());
    expect(next.list().map(({ chainId }) => chainId)).toEqual([chainIdOf("flushed")]);
    await next[Symbol.asyncDispose]();
  },
);

overlay("what was removed is out of sight at once and deleted later", async () => {
  await using it = await open();
  await it.snapshotter.prepare("a", undefined);
  const upper = it.snapshotter.upperPath("a");
  writeFileSync(`${upper}/file`, "x");
  await it.snapshotter.removeActive("a");
  expect(existsSync(upper)).toBe(false);
  expect(readdirSync(`${it.root}/trash`)).toHaveLength(1);
  await it.snapshotter.emptyTrash();
  expect(readdirSync(`${it.root}/trash`)).toEqual([]);
});

overlay("the folder of snapshots is for root alone", async () => {
  await using it = await open();
  await it.snapshotter.prepare("a", undefined);
  expect(statSync(it.root).mode & 0o777).toBe(0o700);
});
