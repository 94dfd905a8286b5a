import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import { type ChainId, digestOf, parseChainId, parseDiffId } from "#oci/digest.ts";
import { failureOf } from "../_fixtures.ts";
import type { CommitFacts, Snapshotter } from "./snapshotter.ts";

export interface SnapshotterUnderTest extends AsyncDisposable {
  readonly snapshotter: Snapshotter;
  /** A folder for mount points. */
  readonly mounts: string;
  unmount(target: string): void;
}

/** Chain ID and facts made up from a name. */
export function factsOf(name: string): CommitFacts {
  return { chainId: chainIdOf(name), diffId: parseDiffId(digestOf(`diff ${name}`)), sizeBytes: 1 };
}

export function chainIdOf(name: string): ChainId {
  return parseChainId(digestOf(name));
}

/** The contract of `Snapshotter`: run against each implementation, and against the fake. `test` may be guarded. */
export function snapshotterSuite(
  test: (name: string, work: () => Promise<void>) => void,
  open: () => Promise<SnapshotterUnderTest>,
): void {
  test("an active snapshot of nothing is empty and writable", async () => {
    await using it = await open();
    await it.snapshotter.prepare("a", undefined);
    const inside = mounted(it, "a", (path) => {
      const before = readdirSync(path);
      writeFileSync(join(path, "file"), "x");
      return before;
    });
    expect(inside).toEqual([]);
    expect(readdirSync(it.snapshotter.upperPath("a"))).toEqual(["file"]);
    expect(it.snapshotter.actives()).toEqual(["a"]);
  });

  test("what was committed is seen by those prepared on it, and is not changed by them", async () => {
    await using it = await open();
    await commitFiles(it, "base", undefined, { "etc/one": "1", "etc/two": "2" });
    await it.snapshotter.prepare("b", chainIdOf("base"));
    mounted(it, "b", (path) => {
      expect(readFileSync(join(path, "etc/one"), "utf8")).toBe("1");
      writeFileSync(join(path, "etc/one"), "changed");
      rmSync(join(path, "etc/two"));
    });
    expect(mounted(it, "b", (path) => readdirSync(join(path, "etc")))).toEqual(["one"]);
    expect(viewed(it, "base", (path) => readFileSync(join(path, "etc/one"), "utf8"))).toBe("1");
    expect(viewed(it, "base", (path) => readdirSync(join(path, "etc")).sort())).toEqual(["one", "two"]);
  });

  test("a committed snapshot is found with its facts", async () => {
    await using it = await open();
    await commitFiles(it, "base", undefined, {});
    await commitFiles(it, "top", "base", {});
    expect(it.snapshotter.find(chainIdOf("top"))).toMatchObject({
      ...factsOf("top"),
      parent: chainIdOf("base"),
    });
    expect(it.snapshotter.find(chainIdOf("base"))?.parent).toBeUndefined();
    expect(it.snapshotter.find(chainIdOf("other"))).toBeUndefined();
    expect(
      it.snapshotter
        .list()
        .map(({ chainId }) => chainId)
        .sort(),
    ).toEqual([chainIdOf("base"), chainIdOf("top")].sort());
    expect(it.snapshotter.actives()).toEqual([]);
  });

  test("drafts are filled in any order and committed on their parents", async () => {
    await using it = await open();
    await using upper = await it.snapshotter.draft();
    await using lower = await it.snapshotter.draft();
    writeFileSync(join(upper.path, "upper"), "u");
    writeFileSync(join(lower.path, "lower"), "l");
    await lower.commit({ ...factsOf("lower"), parent: undefined });
    await upper.commit({ ...factsOf("upper"), parent: chainIdOf("lower") });
    expect(viewed(it, "upper", (path) => readdirSync(path).sort())).toEqual(["lower", "upper"]);
  });

  test("a draft that is not committed goes away", async () => {
    await using it = await open();
    const draft = await it.snapshotter.draft();
    await draft[Symbol.asyncDispose]();
    expect(existsSync(draft.path)).toBe(false);
  });

  test("committing what is there already is success, and the first one stays", async () => {
    await using it = await open();
    await commitFiles(it, "base", undefined, { first: "1" });
    await commitFiles(it, "base", undefined, { second: "2" });
    await using draft = await it.snapshotter.draft();
    await draft.commit({ ...factsOf("base"), parent: undefined });
    expect(viewed(it, "base", (path) => readdirSync(path))).toEqual(["first"]);
    expect(it.snapshotter.actives()).toEqual([]);
  });

  test("a parent that is not there is not found, a key in use is a conflict", async () => {
    await using it = await open();
    const { snapshotter } = it;
    const missing = chainIdOf("missing");
    await using draft = await snapshotter.draft();
    expect(EngineError.is(await failureOf(snapshotter.prepare("a", missing)), "not-found")).toBe(true);
    expect(
      EngineError.is(await failureOf(draft.commit({ ...factsOf("a"), parent: missing })), "not-found"),
    ).toBe(true);
    await snapshotter.prepare("a", undefined);
    expect(EngineError.is(await failureOf(snapshotter.prepare("a", undefined)), "conflict")).toBe(true);
    expect(
      EngineError.is(await failureOf(() => snapshotter.mount("b", join(it.mounts, "b"))), "not-found"),
    ).toBe(true);
    expect(
      EngineError.is(
        await failureOf(() => snapshotter.mountView(missing, join(it.mounts, "b"))),
        "not-found",
      ),
    ).toBe(true);
    expect(EngineError.is(await failureOf(snapshotter.commit("b", factsOf("b"))), "not-found")).toBe(true);
  });

  test("a snapshot that others stand on is not removed", async () => {
    await using it = await open();
    const { snapshotter } = it;
    await commitFiles(it, "base", undefined, {});
    await commitFiles(it, "top", "base", {});
    await snapshotter.prepare("a", chainIdOf("top"));
    for (const name of ["base", "top"]) {
      expect(EngineError.is(await failureOf(snapshotter.remove(chainIdOf(name))), "conflict")).toBe(true);
    }
    await snapshotter.removeActive("a");
    await snapshotter.removeActive("a");
    for (const name of ["top", "base", "base"]) await snapshotter.remove(chainIdOf(name));
    expect(snapshotter.list()).toEqual([]);
  });

  test("usage counts what an active snapshot holds", async () => {
    await using it = await open();
    await it.snapshotter.prepare("a", undefined);
    mounted(it, "a", (path) => writeFileSync(join(path, "file"), Buffer.alloc(100_000, 1)));
    const usage = await it.snapshotter.usage("a");
    expect(usage.inodes).toBe(1);
    expect(usage.sizeBytes).toBeGreaterThanOrEqual(100_000);
  });

  test("recover() keeps what it is told to keep, and what is committed", async () => {
    await using it = await open();
    const { snapshotter } = it;
    await commitFiles(it, "base", undefined, { file: "1" });
    await snapshotter.prepare("kept", chainIdOf("base"));
    await snapshotter.prepare("lost", chainIdOf("base"));
    const draft = await snapshotter.draft();
    await snapshotter.recover(new Set(["kept"]));
    expect(snapshotter.actives()).toEqual(["kept"]);
    expect(mounted(it, "kept", (path) => readdirSync(path))).toEqual(["file"]);
    expect(existsSync(draft.path)).toBe(false);
  });
}

async function commitFiles(
  it: SnapshotterUnderTest,
  name: string,
  parent: string | undefined,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  await it.snapshotter.prepare("commit", parent === undefined ? undefined : chainIdOf(parent));
  mounted(it, "commit", (path) => {
    for (const [file, content] of Object.entries(files)) {
      mkdirSync(join(path, file, ".."), { recursive: true });
      writeFileSync(join(path, file), content);
    }
  });
  await it.snapshotter.commit("commit", factsOf(name));
}

function mounted<T>(it: SnapshotterUnderTest, key: string, work: (path: string) => T): T {
  const target = join(it.mounts, key);
  it.snapshotter.mount(key, target);
  try {
    return work(target);
  } finally {
    it.unmount(target);
  }
}

function viewed<T>(it: SnapshotterUnderTest, name: string, work: (path: string) => T): T {
  const target = join(it.mounts, `view-${name}`);
  it.snapshotter.mountView(chainIdOf(name), target);
  try {
    return work(target);
  } finally {
    it.unmount(target);
  }
}
