import { spawn } from "node:child_process";
import { expect } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { EngineError } from "#base/errors.ts";
import { selfCommand } from "#linux/self.ts";
import type { Compression } from "#oci/media-types.ts";
import { sampleEntry } from "#oci/tar/tar-fixtures.ts";
import { needs } from "../../../test/needs.ts";
import { failureOf, NO_SIGNAL } from "../_fixtures.ts";
import { type LayerBench, openLayerBench, tarOf } from "./_layer-bench.ts";
import { applyLayer, type LayerToApply } from "./apply.ts";

const overlay = needs("root", "overlay");

const COMPRESS: Readonly<Record<Compression, (bytes: Uint8Array) => Uint8Array>> = {
  none: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
};

async function applyBytes(bench: LayerBench, tar: Uint8Array, options: Partial<LayerToApply>): Promise<void> {
  const { compression = "none" } = options;
  const blob = join(bench.folder, "blob");
  writeFileSync(blob, COMPRESS[compression](tar));
  await using draft = await bench.snapshotter.draft();
  await applyLayer({ blob, compression, target: draft.path, ...options }, NO_SIGNAL);
}

const zeros = (megabytes: number) =>
  tarOf([
    sampleEntry({ path: "z", size: megabytes * 1_000_000 }),
    Array.from({ length: megabytes }, () => new Uint8Array(1_000_000)),
  ]);
const files = (count: number) =>
  tarOf(...Array.from({ length: count }, (_, index) => [sampleEntry({ path: `d/${index}` })] as const));
const deep = (depth: number) => tarOf([sampleEntry({ path: "d/".repeat(depth), type: "directory" })]);
const xattrs = new Map([["user.big", new Uint8Array(60_000)]]);

const refused: [string, () => Promise<Uint8Array>, Partial<LayerToApply>, RegExp][] = [
  [
    "a bomb by ratio",
    () => zeros(40),
    { compression: "gzip", limits: { ratioFromBytes: 10_000_000 } },
    /unfold into more than/,
  ],
  [
    "a bomb by ratio in zstd",
    () => zeros(40),
    { compression: "zstd", limits: { ratioFromBytes: 10_000_000 } },
    /unfold into more than/,
  ],
  ["a bomb by entries", () => files(1000), { limits: { maxEntries: 500 } }, /more than 500 files/],
  [
    "a bomb by implied directories",
    () => deep(400),
    { limits: { maxEntries: 300 } },
    /makes more than 300 files/,
  ],
  ["a bomb by depth", () => deep(600), {}, /deeper than 512/],
  [
    "a bomb by attributes",
    () => tarOf([sampleEntry({ path: "a", xattrs })]),
    { limits: { maxPaxBytes: 50_000 } },
    /larger than 50000/,
  ],
  ["a broken gzip stream", async () => Buffer.from("no gzip"), { compression: "none" }, /Cannot read tar/],
  ["no archive at all", async () => new Uint8Array(), {}, /it is empty/],
  [
    "a file used as a directory",
    () => tarOf([sampleEntry({ path: "a" })], [sampleEntry({ path: "a/b" })]),
    {},
    /it is a file/,
  ],
  [
    "a name that the file system refuses",
    () => tarOf([sampleEntry({ path: "n".repeat(256) })]),
    {},
    /ENAMETOOLONG/,
  ],
];
for (const [what, archive, options, message] of refused) {
  overlay(`${what} is refused with a typed error, and nothing of it stays`, async () => {
    await using bench = openLayerBench();
    const error = await failureOf(applyBytes(bench, await archive(), options));
    expect([EngineError.is(error, "invalid"), error.message]).toEqual([true, expect.stringMatching(message)]);
    expect(readdirSync(join(bench.folder, "snapshots")).sort()).toEqual(["empty", "trash", "views"]);
  });
}

overlay("memory stays bounded, however far an archive unfolds", async () => {
  await using bench = openLayerBench();
  await using draft = await bench.snapshotter.draft();
  const blob = join(bench.folder, "blob");
  writeFileSync(blob, gzipSync(await zeros(300)));
  const [program = "", ...args] = selfCommand(
    "worker",
    "unpack",
    JSON.stringify({ blob, compression: "gzip", target: draft.path }),
  );
  const worker = spawn(program, args, { stdio: "ignore" });
  const ended = new Promise<number | null>((resolve) => worker.once("exit", resolve));
  let peakKilobytes = 0;
  const watching = setInterval(() => {
    peakKilobytes = Math.max(peakKilobytes, peakOf(worker.pid ?? 0));
  }, 10);
  const exitCode = await ended;
  clearInterval(watching);
  expect(exitCode).toBe(0);
  expect(peakKilobytes).toBeGreaterThan(10_000);
  expect(peakKilobytes).toBeLessThan(200_000);
});

/** The most memory the process has had so far. `proc_pid_status(5)`. */
function peakOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

const broken: [string, Compression, (bytes: Uint8Array) => Uint8Array][] = [
  ["a gzip stream that is none", "gzip", () => Buffer.from("this is no gzip stream")],
  ["a cut gzip stream", "gzip", (bytes) => gzipSync(bytes).subarray(0, 200)],
  ["a zstd stream that is none", "zstd", () => Buffer.from("this is no zstd stream")],
  ["a cut zstd stream", "zstd", (bytes) => zstdCompressSync(bytes).subarray(0, 200)],
];
for (const [what, compression, breakIt] of broken) {
  overlay(`${what} is refused as invalid`, async () => {
    await using bench = openLayerBench();
    const bytes = breakIt(new Uint8Array(100_000).map((_, index) => (index * 7919) >> 3));
    const blob = join(bench.folder, "blob");
    writeFileSync(blob, bytes);
    await using draft = await bench.snapshotter.draft();
    const error = await failureOf(applyLayer({ blob, compression, target: draft.path }, NO_SIGNAL));
    expect([EngineError.is(error, "invalid"), error.message]).toEqual([true, expect.any(String)]);
  });
}
