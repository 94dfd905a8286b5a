import type { HistoryEntry, ImageExecutionConfig } from "#oci/image-config.ts";
import type { Digest } from "#oci/digest.ts";
import type { Platform } from "#oci/platform.ts";
import type { Vertex } from "./vertex.ts";

/** A line of an image's history: one that the base brings, or one of ours, whose time the vertex will know. */
export type HistoryItem =
  | { readonly kind: "inherited"; readonly entry: HistoryEntry }
  | { readonly kind: "metadata"; readonly createdBy: string }
  | { readonly kind: "layer"; readonly createdBy: string; readonly vertex: Vertex };

/** An instruction as the build shows it. */
export interface Step {
  readonly text: string;
  /** What it waits for; metadata instructions have none. */
  readonly vertex?: Vertex;
  /** Of FROM: the image that the stage begins with. */
  readonly imageId?: Digest;
}

/** What a stage comes to: the vertex that gives its files, and its configuration. */
export interface StageResult {
  readonly vertex: Vertex;
  readonly platform: Platform;
  readonly config: ImageExecutionConfig;
  readonly author?: string;
  /** RFC 3339; of the base image. */
  readonly created?: string;
  readonly history: readonly HistoryItem[];
  readonly steps: readonly Step[];
  /** Sentences for the person who builds. */
  readonly warnings: readonly string[];
  /** Arguments in scope at its end, for stages that begin with it. `undefined` is declared without a value. */
  readonly args: ReadonlyMap<string, string | undefined>;
}
