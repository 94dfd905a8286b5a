import type { Vertex } from "../graph/vertex.ts";

/** Something the solver decided or saw. Several builds that share a vertex each get its events. */
export type SolveEvent =
  /** The result was there. `reason` says why it is good for this build. */
  | { readonly kind: "hit"; readonly vertex: Vertex; readonly reason: string }
  /** The work has to be done. */
  | { readonly kind: "miss"; readonly vertex: Vertex; readonly reason: string }
  | { readonly kind: "started"; readonly vertex: Vertex }
  | {
      readonly kind: "output";
      readonly vertex: Vertex;
      readonly stream: "stdout" | "stderr";
      readonly data: Uint8Array;
    }
  | { readonly kind: "finished"; readonly vertex: Vertex; readonly durationMs: number }
  | { readonly kind: "failed"; readonly vertex: Vertex; readonly error: unknown };

/** A promise that it returns for output makes the step wait: a slow reader slows the writer. */
export type OnSolveEvent = (event: SolveEvent) => void | Promise<void>;
