import { expect } from "bun:test";
import fc from "fast-check";
import { type ChainId, chainIds, digestOf, parseDiffId } from "#oci/digest.ts";
import { sampleEntry } from "#oci/tar/tar-fixtures.ts";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import { OPAQUE_WHITEOUT, whiteoutName } from "#oci/tar/whiteout.ts";
import { needs } from "../../../test/needs.ts";
import { type LayerBench, modelOf, openLayerBench, tarOfModel } from "./_layer-bench.ts";
import { applyToModel, type ModelEntry, type ModelTree } from "./_reference-model.ts";

const name = fc.constantFrom("a", "b", "c");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
const attributes = { mode: fc.constantFrom(0o644, 0o700, 0o1755), uid: fc.constantFrom(0, 1000) };
const step: fc.Arbitrary<ModelEntry> = fc.oneof(
  { weight: 3, arbitrary: entry("directory") },
  { weight: 3, arbitrary: entry("file") },
  {
    weight: 1,
    arbitrary: fc.record({ path, linkName: path }).map((fields) => plain({ ...fields, type: "hardlink" })),
  },
  {
    weight: 2,
    arbitrary: path.map((at) => plain({ path: at.replace(/[^/]+$/, (last) => whiteoutName(last)), mode: 0 })),
  },
  { weight: 1, arbitrary: path.map((at) => plain({ path: `${at}/${OPAQUE_WHITEOUT}`, mode: 0 })) },
);
const stack = fc.array(fc.array(step, { maxLength: 8 }), { minLength: 2, maxLength: 4 });

function entry(type: "directory" | "file"): fc.Arbitrary<ModelEntry> {
  return fc
    .record({ path, ...attributes, content: fc.stringMatching(/^[a-z]{0,5}$/) })
    .map(({ content, ...fields }) => {
      const text = type === "file" ? content : "";
      return { entry: sampleEntry({ ...fields, type, size: text.length }), content: text };
    });
}

function plain(fields: Partial<TarEntry> & { path: string }): ModelEntry {
  return { entry: sampleEntry(fields), content: "" };
}

/** The stack with steps left out that no archive could hold, and what it must look like, layer by layer. */
function simulate(layers: readonly (readonly ModelEntry[])[]): {
  layers: ModelEntry[][];
  trees: ModelTree[];
} {
  const kept: ModelEntry[][] = [];
  const trees: ModelTree[] = [];
  for (const steps of layers) {
    const below = trees.at(-1) ?? new Map();
    let layer: ModelEntry[] = [];
    for (const next of steps) if (applyToModel(below, [...layer, next])) layer = [...layer, next];
    kept.push(layer);
    trees.push(applyToModel(below, layer) ?? below);
  }
  return { layers: kept, trees };
}

needs("root", "overlay")(
  "a stack looks as if its layers were applied one after another, in whatever order they were unpacked",
  async () => {
    await using bench = openLayerBench();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(stack, fc.infiniteStream(fc.nat()), async (random, ranks) => {
        const { layers, trees } = simulate(random);
        const chain = chainIds(layers.map((_, index) => parseDiffId(digestOf(`${run}/${index}`))));
        run++;
        await unpackInOrder(bench, { layers, chain, ranks });
        for (const [index, chainId] of chain.entries()) {
          expect(bench.view(chainId, modelOf)).toEqual(trees[index] ?? new Map());
        }
      }),
      { numRuns: 150 },
    );
  },
  60_000,
);

/** Unpacks the layers at once, each beginning when its rank says, and commits them in order. */
async function unpackInOrder(
  bench: LayerBench,
  stackOf: { layers: ModelEntry[][]; chain: ChainId[]; ranks: IterableIterator<number> },
): Promise<void> {
  const { layers, chain, ranks } = stackOf;
  const order = layers.map((layer, index) => ({ layer, index, rank: Number(ranks.next().value) }));
  order.sort((one, other) => one.rank - other.rank);
  const drafts = await Promise.all(
    order.map(async ({ layer, index }) => ({ index, ...(await bench.unpackDraft(await tarOfModel(layer))) })),
  );
  for (const { index, draft, ...facts } of drafts.sort((one, other) => one.index - other.index)) {
    const chainId = chain[index];
    if (chainId !== undefined) await draft.commit({ chainId, parent: chain[index - 1], ...facts });
  }
}
