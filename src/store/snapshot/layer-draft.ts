import type { LayerDraft } from "./snapshotter.ts";

/** What a snapshotter does with a draft. */
export interface DraftWork {
  readonly commit: (facts: Parameters<LayerDraft["commit"]>[0]) => void;
  readonly discard: () => void;
}

/** A draft that is committed or discarded once, and discarded when its commit fails. */
export function openLayerDraft(path: string, { commit, discard }: DraftWork): LayerDraft {
  let isOpen = true;
  return {
    path,
    commit: async (facts) => {
      if (!isOpen) throw new Error(`the draft of ${facts.chainId} was committed or dropped before`);
      isOpen = false;
      try {
        commit(facts);
      } catch (error) {
        discard();
        throw error;
      }
    },
    [Symbol.asyncDispose]: async () => {
      if (isOpen) discard();
      isOpen = false;
    },
  };
}
