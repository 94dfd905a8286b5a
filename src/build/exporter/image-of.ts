import { rfc3339 } from "#base/clock.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Digest } from "#oci/digest.ts";
import type { HistoryEntry, ImageConfig } from "#oci/image-config.ts";
import { HISTORY_COMMENT } from "../graph/history-text.ts";
import type { HistoryItem, StageResult } from "../graph/stage-result.ts";
import type { Solved } from "../solver/solver.ts";

export interface ImageOfOptions {
  /** Every time that the build would note is this one (SOURCE_DATE_EPOCH). Epoch milliseconds. */
  readonly epochMs?: number;
}

/**
 * The image that a solved stage comes to. Times are those of the layers: metadata has the time of the layer before it,
 * so that a build that executes nothing gives the very same image.
 *
 * @throws {Error} when the stage was not solved
 */
export function imageOf(
  stage: StageResult,
  solved: ReadonlyMap<Digest, Solved>,
  { epochMs }: ImageOfOptions = {},
): { readonly config: ImageConfig; readonly layers: readonly Descriptor[] } {
  const top = solved.get(stage.vertex.digest);
  if (top === undefined) throw new Error(`the stage was not solved: ${stage.vertex.title}`);
  const { layers } = top.fileSystem;
  const history: HistoryEntry[] = [];
  let created = stage.created;
  for (const item of stage.history) {
    if (item.kind === "layer") {
      const at = epochMs ?? solved.get(item.vertex.digest)?.createdAt;
      if (at !== undefined) created = rfc3339(at);
    } else if (item.kind === "metadata" && epochMs !== undefined) created = rfc3339(epochMs);
    history.push(historyEntry(item, created));
  }
  return {
    config: {
      ...(created !== undefined && { created }),
      ...(stage.author !== undefined && { author: stage.author }),
      platform: stage.platform,
      config: stage.config,
      diffIds: layers.map(({ diffId }) => diffId),
      history,
    },
    layers: layers.map(({ descriptor }) => descriptor),
  };
}

function historyEntry(item: HistoryItem, created: string | undefined): HistoryEntry {
  if (item.kind === "inherited") return item.entry;
  return {
    ...(created !== undefined && { created }),
    createdBy: item.createdBy,
    comment: HISTORY_COMMENT,
    ...(item.kind === "metadata" && { emptyLayer: true }),
  };
}
