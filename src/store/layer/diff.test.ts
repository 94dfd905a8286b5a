import { expect } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { closeFd } from "#linux/file-descriptor.ts";
import { digestOf, parseChainId, parseDiffId } from "#oci/digest.ts";
import { readAll, sampleEntry } from "#oci/tar/tar-fixtures.ts";
import { needs } from "../../../test/needs.ts";
import { inChunks, NO_SIGNAL } from "../_fixtures.ts";
import { kernel, type LayerBench, modelOf, openLayerBench, tarOf } from "./_layer-bench.ts";
import { changes } from "./changes.ts";
import { writeLayer, type WriteLayerOptions, type WrittenLayer } from "./diff.ts";

const overlay = needs("root", "overlay");
const BASE = parseChainId(digestOf("base"));
const TOP = parseChainId(digestOf("top"));

async function layerOf(
  upper: string,
  options: Partial<WriteLayerOptions> = {},
): Promise<WrittenLayer & { tar: Uint8Array }> {
  const chunks: Uint8Array[] = [];
  const sink = { write: (chunk: Uint8Array) => void chunks.push(new Uint8Array(chunk)) };
  const written = await writeLayer({ upper, sink, ...options }, NO_SIGNAL);
  return { ...written, tar: new Uint8Array(Buffer.concat(chunks)) };
}

/** A base with a little of everything, and a container on it that `work` has changed. */
async function changed(bench: LayerBench, work: (path: string) => void): Promise<string> {
  const base = await tarOf(
    [sampleEntry({ path: "etc", type: "directory", mode: 0o755 })],
    [sampleEntry({ path: "etc/one", size: 1 }), [Buffer.from("1")]],
    [sampleEntry({ path: "etc/two", size: 1 }), [Buffer.from("2")]],
    [sampleEntry({ path: "opt/a/b", size: 1 }), [Buffer.from("b")]],
    [sampleEntry({ path: "opt/c" })],
  );
  await bench.addLayer(base, BASE, undefined);
  await bench.snapshotter.prepare("container", BASE);
  const target = join(bench.folder, "mounted");
  bench.snapshotter.mount("container", target);
  try {
    work(target);
  } finally {
    kernel.unmount(target);
  }
  return bench.snapshotter.upperPath("container");
}

/** What a container may do in its life. */
function live(path: string): void {
  appendFileSync(join(path, "etc/one"), "more");
  rmSync(join(path, "etc/two"));
  rmSync(join(path, "opt"), { recursive: true });
  mkdirSync(join(path, "opt"));
  writeFileSync(join(path, "opt/new"), "n");
  linkSync(join(path, "opt/new"), join(path, "opt/again"));
  symlinkSync("../etc/one", join(path, "opt/link"));
  mkdirSync(join(path, "var/deep"), { recursive: true });
  chmodSync(join(path, "var/deep"), 0o1777);
  writeFileSync(join(path, "var/deep/tmp"), "x");
  renameSync(join(path, "var/deep/tmp"), join(path, "var/deep/final"));
}

overlay("a container's layer, unpacked on the same base elsewhere, shows the same tree", async () => {
  await using bench = openLayerBench();
  const upper = await changed(bench, live);
  const { tar, diffId, sizeBytes } = await layerOf(upper);
  expect(diffId).toBe(parseDiffId(digestOf(tar)));
  await bench.snapshotter.commit("container", { chainId: TOP, diffId, sizeBytes });
  const wanted = bench.view(TOP, modelOf);
  const copy = parseChainId(digestOf("copy"));
  await bench.addLayer(tar, copy, BASE);
  expect(bench.view(copy, modelOf)).toEqual(wanted);
  const names = "etc etc/one opt opt/again opt/link opt/new var var/deep var/deep/final";
  expect([...wanted.keys()].join(" ")).toBe(names);
});

overlay("a layer has its entries in a fixed order, whiteouts and hard links in the form of OCI", async () => {
  await using bench = openLayerBench();
  const { tar, entries } = await layerOf(await changed(bench, live));
  const found = await readAll(inChunks(tar));
  expect(entries).toBe(found.length);
  expect(found.map(({ entry }) => [entry.path, entry.type])).toEqual([
    [".", "directory"],
    ["etc", "directory"],
    ["etc/one", "file"],
    ["etc/.wh.two", "file"],
    ["opt", "directory"],
    ["opt/.wh..wh..opq", "file"],
    ["opt/again", "file"],
    ["opt/link", "symlink"],
    ["opt/new", "hardlink"],
    ["var", "directory"],
    ["var/deep", "directory"],
    ["var/deep/final", "file"],
  ]);
  expect(found.every(({ entry }) => entry.xattrs.size === 0)).toBe(true);
  expect(found.every(({ entry }) => entry.mtimeNs % 1_000_000_000n === 0n)).toBe(true);
});

overlay("equal trees give equal layers, later times cut when asked", async () => {
  await using bench = openLayerBench();
  const make = (path: string, seconds: number): string => {
    mkdirSync(path);
    for (const name of seconds % 2 === 0 ? ["b", "a"] : ["a", "b"]) writeFileSync(join(path, name), name);
    for (const name of ["a", "b", "."]) utimesSync(join(path, name), seconds, seconds);
    return path;
  };
  const [one, other] = [make(join(bench.folder, "one"), 2000), make(join(bench.folder, "other"), 3001)];
  const clamp = { maxMtimeNs: 1_000_000_000_000n };
  expect((await layerOf(one, clamp)).diffId).toBe((await layerOf(other, clamp)).diffId);
  expect((await layerOf(one)).diffId).not.toBe((await layerOf(other)).diffId);
});

overlay("a name that is not UTF-8 comes through a layer as it was", async () => {
  await using bench = openLayerBench();
  const name = "caf\udce9";
  const upper = join(bench.folder, "upper");
  mkdirSync(upper);
  using root = kernel.openRoot(upper);
  closeFd(root.createFile(name, 0o644));
  const { draft } = await bench.unpackDraft((await layerOf(upper)).tar);
  using copy = kernel.openRoot(draft.path);
  expect(copy.readdir(".")).toEqual([name]);
});

overlay("sockets are left out, attributes and set-id bits are kept", async () => {
  await using bench = openLayerBench();
  const upper = join(bench.folder, "upper");
  mkdirSync(upper);
  writeFileSync(join(upper, "file"), "");
  chmodSync(join(upper, "file"), 0o4755);
  kernel.setXattr(join(upper, "file"), "user.note", Buffer.from("n"));
  kernel.setXattr(join(upper, "file"), "trusted.overlay.origin", Buffer.from("o"));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(upper, "socket"), resolve));
  const found = await readAll(inChunks((await layerOf(upper)).tar));
  server.close();
  expect(found.map(({ entry }) => entry.path)).toEqual([".", "file"]);
  expect(found[1]?.entry.mode).toBe(0o4755);
  expect([...(found[1]?.entry.xattrs.keys() ?? [])]).toEqual(["user.note"]);
});

overlay("a file that shrinks while it is written keeps the archive whole", async () => {
  await using bench = openLayerBench();
  const upper = join(bench.folder, "upper");
  mkdirSync(upper);
  writeFileSync(join(upper, "file"), "x".repeat(1_000_000));
  const chunks: Uint8Array[] = [];
  const sink = {
    write: (chunk: Uint8Array) => {
      chunks.push(new Uint8Array(chunk));
      // The header of the file is out, its content is not.
      if (chunks.length === 2) writeFileSync(join(upper, "file"), "short");
    },
  };
  await writeLayer({ upper, sink }, NO_SIGNAL);
  const found = await readAll(inChunks(new Uint8Array(Buffer.concat(chunks))));
  expect(found[1]?.content.length).toBe(1_000_000);
});

overlay("the changes of a container are told as Docker tells them", async () => {
  await using bench = openLayerBench();
  const upper = await changed(bench, live);
  const found = bench.view(BASE, (below) => changes(upper, below));
  expect(found.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
    "C /etc",
    "C /etc/one",
    "D /etc/two",
    "C /opt",
    "D /opt/a",
    "A /opt/again",
    "D /opt/c",
    "A /opt/link",
    "A /opt/new",
    "A /var",
    "A /var/deep",
    "A /var/deep/final",
  ]);
});

overlay("without layers below everything is added", async () => {
  await using bench = openLayerBench();
  await bench.snapshotter.prepare("container", undefined);
  writeFileSync(join(bench.snapshotter.upperPath("container"), "file"), "");
  expect(changes(bench.snapshotter.upperPath("container"), undefined)).toEqual([
    { kind: "A", path: "/file" },
  ]);
  expect(readFileSync(join(bench.snapshotter.upperPath("container"), "file"), "utf8")).toBe("");
});
