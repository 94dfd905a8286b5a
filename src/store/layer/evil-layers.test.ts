import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import { chainIds } from "#oci/digest.ts";
import { needs } from "../../../test/needs.ts";
import { evilCorpus } from "./_evil-corpus.ts";
import { kernel, type LayerBench, modelOf, openLayerBench } from "./_layer-bench.ts";
import { walkTree } from "./tree-entries.ts";

const overlay = needs("root", "overlay");

/** A folder beside the snapshots that stands for the host. */
function makeHost(bench: LayerBench): string {
  const host = join(bench.folder, "host");
  mkdirSync(join(host, "folder"), { recursive: true });
  writeFileSync(join(host, "file"), "canary");
  chmodSync(join(host, "file"), 0o640);
  writeFileSync(join(host, "folder/inner"), "canary");
  linkSync(join(host, "file"), join(host, "second-name"));
  symlinkSync("file", join(host, "soft"));
  return host;
}

/** Everything that can be known of a tree, as text. */
function fingerprint(path: string): string {
  using root = kernel.openRoot(path);
  const lines: string[] = [];
  for (const { path: at, stat } of walkTree(root)) {
    const content = stat.type === "file" ? readFileSync(join(path, at), "utf8") : "";
    const { type, mode, uid, gid, size, mtimeNs, links, inode } = stat;
    const xattrs = root.listXattrs(at || ".").join();
    lines.push([at, type, mode, uid, gid, size, mtimeNs, links, inode, content, xattrs].join(" "));
  }
  return lines.join("\n");
}

/** Unpacks and, if that goes, commits and looks at the result. Only typed errors may come out. */
async function attempt(bench: LayerBench, tar: Uint8Array, index: number): Promise<"refused" | "contained"> {
  try {
    const { draft, ...facts } = await bench.unpackDraft(tar);
    await using _dropped = draft;
    const [chainId] = chainIds([facts.diffId]);
    if (chainId === undefined) throw new Error("no chain ID");
    await draft.commit({ chainId, parent: undefined, ...facts });
    bench.view(chainId, (path) => modelOf(path).size);
    return "contained";
  } catch (error) {
    if (EngineError.is(error, "invalid") || EngineError.is(error, "unsupported")) return "refused";
    throw new Error(`archive ${index} failed without a typed error`, { cause: error });
  }
}

overlay(
  "no archive of the corpus changes anything outside its root",
  async () => {
    await using bench = openLayerBench();
    const host = makeHost(bench);
    const corpus = await evilCorpus(host);
    expect(corpus.length).toBeGreaterThanOrEqual(120);
    const before = fingerprint(host);
    const outcomes = new Map<string, number>();
    for (const [index, { name, tar }] of corpus.entries()) {
      const outcome = await attempt(bench, tar, index);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      expect([name, fingerprint(host)]).toEqual([name, before]);
    }
    // Both happen, or the corpus no longer tests what it should.
    expect([...outcomes.keys()].sort()).toEqual(["contained", "refused"]);
    expect(
      readdirSync(bench.folder)
        .filter((name) => !name.endsWith(".tar"))
        .sort(),
    ).toEqual(["host", "snapshots", "view"]);
  },
  60_000,
);

overlay(
  "a racer that swaps directories for links changes nothing outside",
  async () => {
    await using bench = openLayerBench();
    const host = makeHost(bench);
    const corpus = await evilCorpus(host);
    const before = fingerprint(host);
    const racer = spawn("sh", ["-c", RACER, "racer", join(bench.folder, "snapshots"), host], {
      stdio: "ignore",
    });
    try {
      for (let round = 0; round < 3; round++) {
        for (const { tar } of corpus) await bench.unpackDraft(tar).catch(() => undefined);
      }
    } finally {
      racer.kill("SIGKILL");
    }
    expect(fingerprint(host)).toBe(before);
  },
  60_000,
);

/** In the newest layers, swaps each directory for a link to the host and back. */
const RACER = `while :; do for d in "$1"/*/diff/*; do
  [ -d "$d" ] && [ ! -L "$d" ] && mv -T "$d" "$d.away" && ln -sn "$2" "$d" && rm "$d" && mv -T "$d.away" "$d"
done 2>/dev/null; done`;

test("private attributes of overlayfs and labels of the host never land in a layer", async () => {
  await using bench = openLayerBench();
  const host = makeHost(bench);
  for (const { name, tar } of await evilCorpus(host)) {
    if (!name.startsWith("attribute ")) continue;
    const { draft } = await bench.unpackDraft(tar);
    using root = kernel.openRoot(draft.path);
    expect([name, root.listXattrs("d"), root.listXattrs("d/f")]).toEqual([name, [], []]);
  }
});
