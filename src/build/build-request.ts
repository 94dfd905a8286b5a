import type { PullOptions } from "#image/pull.ts";
import type { Platform } from "#oci/platform.ts";
import type { Reference } from "#oci/reference.ts";
import type { StepNetwork, StepResources, StepRlimit } from "./graph/run-operation.ts";

/** What signs in at a registry. */
export type Credentials = NonNullable<PullOptions["credentials"]>;

/** A build as a client asks for it. */
export interface BuildRequest {
  /** A tar of the context, plain or compressed with gzip or zstd. */
  readonly context: AsyncIterable<Uint8Array>;
  /** Path in the context; `undefined` for `Dockerfile`. */
  readonly dockerfile?: string;
  readonly tags: readonly Reference[];
  readonly target?: string;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  /** The engine's own when absent. */
  readonly platform?: Platform;
  readonly ignoresCache: boolean;
  /** Base images are asked for at their registry even when they are here. */
  readonly pulls: boolean;
  readonly network: StepNetwork;
  readonly extraHosts: readonly string[];
  readonly resources: StepResources;
  readonly rlimits: readonly StepRlimit[];
  readonly shmBytes?: number;
  readonly cgroupParent?: string;
  /** By registry host. */
  readonly credentials: ReadonlyMap<string, Credentials>;
}
