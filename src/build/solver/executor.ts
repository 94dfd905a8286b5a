import type { Digest } from "#oci/digest.ts";
import type { FileSystem, Layer } from "../graph/file-system.ts";
import type { Vertex } from "../graph/vertex.ts";

export interface StepOutput {
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** A vertex whose inputs are there. */
export interface ReadyVertex {
  readonly vertex: Vertex;
  /** The file systems of `vertex.inputs`. */
  readonly inputs: readonly FileSystem[];
}

/** What a step came to: the layer on top of its first input. */
export interface StepResult {
  readonly layer: Layer;
  /** Unpacked. */
  readonly sizeBytes: number;
}

/** Who does the work; `build/executor/` is the real one. */
export interface Executor {
  /**
   * What the step reads of each input behind the first, as a digest of content; for inputs that are not read in parts,
   * their chain ID does.
   */
  inputContent(ready: ReadyVertex, signal: AbortSignal): Promise<readonly Digest[]>;
  /** Does the work. When it fails or is cancelled nothing half made is left. */
  execute(
    ready: ReadyVertex,
    onOutput: (output: StepOutput) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<StepResult>;
  /** True when all blobs and snapshots of a file system are here. */
  isPresent(fileSystem: FileSystem): Promise<boolean>;
}
