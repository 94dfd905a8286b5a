import { expect } from "bun:test";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { EngineError } from "#base/errors.ts";
import { type ChainId, digestOf, parseChainId } from "#oci/digest.ts";
import type { Compression } from "#oci/media-types.ts";
import { sampleEntry } from "#oci/tar/tar-fixtures.ts";
import { needs } from "../../../test/needs.ts";
import { failureOf, NO_SIGNAL } from "../_fixtures.ts";
import { kernel, modelOf, openLayerBench, tarOf } from "./_layer-bench.ts";
import { applyLayer } from "./apply.ts";

const overlay = needs("root", "overlay");
const CAPABILITY = Uint8Array.of(1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

async function layer(): Promise<Uint8Array> {
  return await tarOf(
    [sampleEntry({ path: ".", type: "directory", mode: 0o711, uid: 3, gid: 4, mtimeNs: 5_000_000_000n })],
    [sampleEntry({ path: "bin", type: "directory", mode: 0o755, mtimeNs: 1_000_000_007n })],
    [
      sampleEntry({
        path: "bin/su",
        mode: 0o6755,
        uid: 10,
        gid: 20,
        size: 5,
        mtimeNs: -1_500_000_000n,
        xattrs: new Map([
          ["security.capability", CAPABILITY],
          ["user.note", Uint8Array.of(0, 255)],
        ]),
      }),
      [Buffer.from("hello")],
    ],
    [sampleEntry({ path: "bin/sudo", type: "hardlink", linkName: "bin/su" })],
    [sampleEntry({ path: "sh", type: "symlink", linkName: "/bin/su", uid: 30, mtimeNs: 9n })],
    [sampleEntry({ path: "null", type: "character", mode: 0o666, device: { major: 1, minor: 3 } })],
    [sampleEntry({ path: "disk", type: "block", mode: 0o600, device: { major: 259, minor: 300_000 } })],
    [sampleEntry({ path: "pipe", type: "fifo", mode: 0o620, gid: 5 })],
    [sampleEntry({ path: "bin/.wh.old" })],
    [sampleEntry({ path: "etc/.wh..wh..opq" })],
  );
}

const compressions: [Compression, (tar: Uint8Array) => Uint8Array][] = [
  ["none", (tar) => tar],
  ["gzip", (tar) => gzipSync(tar)],
  ["zstd", (tar) => zstdCompressSync(tar)],
];
for (const [compression, compress] of compressions) {
  overlay(
    `a layer (${compression}) is unpacked by a worker with all that belongs to it, in overlay form`,
    async () => {
      await using bench = openLayerBench();
      const tar = await layer();
      await using draft = await bench.snapshotter.draft();
      const blob = join(bench.folder, "blob");
      writeFileSync(blob, compress(tar));
      const applied = await applyLayer({ blob, compression, target: draft.path }, NO_SIGNAL);
      expect(applied).toMatchObject({ diffId: digestOf(tar), sizeBytes: 3 * 4096 });
      using root = kernel.openRoot(draft.path);
      expect(root.stat(".")).toMatchObject({ mode: 0o711, uid: 3, gid: 4, mtimeNs: 5_000_000_000n });
      expect(root.stat("bin").mtimeNs).toBe(1_000_000_007n);
      const su = {
        type: "file",
        mode: 0o6755,
        uid: 10,
        gid: 20,
        size: 5,
        mtimeNs: -1_500_000_000n,
        links: 2,
      };
      expect(root.stat("bin/su")).toMatchObject({ ...su });
      expect(root.stat("bin/sudo").inode).toBe(root.stat("bin/su").inode);
      expect(root.getXattr("bin/su", "security.capability")).toEqual(CAPABILITY);
      expect(root.getXattr("bin/su", "user.note")).toEqual(Uint8Array.of(0, 255));
      expect(root.stat("sh")).toMatchObject({ type: "symlink", uid: 30, mtimeNs: 9n });
      expect(root.stat("null")).toMatchObject({
        type: "character",
        mode: 0o666,
        node: { major: 1, minor: 3 },
      });
      expect(root.stat("disk")).toMatchObject({ type: "block", node: { major: 259, minor: 300_000 } });
      expect(root.stat("pipe")).toMatchObject({ type: "fifo", mode: 0o620, gid: 5 });
      expect(root.stat("bin/old")).toMatchObject({ type: "character", node: { major: 0, minor: 0 } });
      expect(root.getXattr("etc", "trusted.overlay.opaque")).toEqual(new TextEncoder().encode("y"));
    },
  );
}

function chainOf(base: string, top: string): [ChainId, ChainId] {
  return [parseChainId(digestOf(base)), parseChainId(digestOf(top))];
}

overlay("a caller that goes stops the worker", async () => {
  await using bench = openLayerBench();
  const gone = new AbortController();
  const blob = join(bench.folder, "blob");
  writeFileSync(blob, await layer());
  await using draft = await bench.snapshotter.draft();
  const applying = failureOf(applyLayer({ blob, compression: "none", target: draft.path }, gone.signal));
  setTimeout(() => gone.abort(), 1);
  expect(EngineError.is(await applying, "cancelled")).toBe(true);
});

overlay("directories that a layer only passes through look as they do below", async () => {
  await using bench = openLayerBench();
  const [base, top] = chainOf("base", "top");
  const below = await tarOf(
    [sampleEntry({ path: ".", type: "directory", mode: 0o700, uid: 1 })],
    [sampleEntry({ path: "tmp", type: "directory", mode: 0o1777, gid: 7, mtimeNs: 5_000_000_000n })],
  );
  await bench.addLayer(below, base, undefined);
  await bench.addLayer(await tarOf([sampleEntry({ path: "tmp/deep/file" })]), top, base);
  bench.view(top, (path) => {
    expect(statSync(path)).toMatchObject({ uid: 1, mode: 0o40700 });
    expect(statSync(join(path, "tmp"))).toMatchObject({ gid: 7, mode: 0o41777, mtimeMs: 5000 });
    expect(statSync(join(path, "tmp/deep"))).toMatchObject({ uid: 0, mode: 0o40755 });
  });
});

overlay(
  "what a layer puts into a directory that is a symlink below goes to where the link leads",
  async () => {
    await using bench = openLayerBench();
    const [base, top] = chainOf("base", "top");
    const below = await tarOf(
      [sampleEntry({ path: "usr/lib", type: "directory", mode: 0o750 })],
      [sampleEntry({ path: "usr/lib/old", size: 1 }), [Buffer.from("o")]],
      [sampleEntry({ path: "usr/lib/sub/kept" })],
      [sampleEntry({ path: "lib", type: "symlink", linkName: "usr/lib" })],
    );
    const above = await tarOf(
      [sampleEntry({ path: "lib/new" })],
      [sampleEntry({ path: "lib/sub/more" })],
      [sampleEntry({ path: "lib/.wh.old" })],
      [sampleEntry({ path: "lib/hard", type: "hardlink", linkName: "usr/lib/sub/kept" })],
    );
    await bench.addLayer(below, base, undefined);
    await bench.addLayer(above, top, base);
    const tree = bench.view(top, modelOf);
    expect([...tree.keys()]).toEqual([
      "lib",
      "usr",
      "usr/lib",
      "usr/lib/hard",
      "usr/lib/new",
      "usr/lib/sub",
      "usr/lib/sub/kept",
      "usr/lib/sub/more",
    ]);
    expect(tree.get("lib")?.type).toBe("symlink");
    expect(tree.get("usr/lib")?.mode).toBe(0o750);
  },
);

overlay("a hard link to a file of a lower layer shares its content, owner and mode", async () => {
  await using bench = openLayerBench();
  const [base, top] = chainOf("base", "top");
  const below = await tarOf([
    sampleEntry({ path: "d/file", mode: 0o640, uid: 9, size: 1 }),
    [Buffer.from("x")],
  ]);
  await bench.addLayer(below, base, undefined);
  await bench.addLayer(
    await tarOf([sampleEntry({ path: "h", type: "hardlink", linkName: "d/file" })]),
    top,
    base,
  );
  expect(bench.view(top, modelOf).get("h")).toEqual({ type: "file", mode: 0o640, uid: 9, content: "x" });
  expect(bench.view(top, (path) => statSync(join(path, "h")).nlink)).toBe(2);
});

overlay("a hard link to what no layer has is refused, and no layer is left", async () => {
  await using bench = openLayerBench();
  const [base] = chainOf("base", "top");
  const tar = await tarOf([sampleEntry({ path: "h", type: "hardlink", linkName: "nowhere" })]);
  const error = await failureOf(bench.addLayer(tar, base, undefined));
  expect(error.message).toBe('Cannot unpack "h": it links to "nowhere", which no layer has');
  expect(bench.snapshotter.find(base)).toBeUndefined();
});
