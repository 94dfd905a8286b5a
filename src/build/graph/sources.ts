import type { Digest } from "#oci/digest.ts";
import type { ImageConfig } from "#oci/image-config.ts";
import type { Platform } from "#oci/platform.ts";
import type { BuildArgs } from "./build-args.ts";
import type { FileSystem } from "./file-system.ts";
import type { StepNetwork, StepResources, StepRlimit } from "./run-operation.ts";

/** An image that a stage begins with or copies from. */
export interface BaseImage {
  /** What people see as its id. */
  readonly id?: Digest;
  readonly fileSystem: FileSystem;
  readonly config: ImageConfig;
}

/** What of the context a COPY means. */
export interface Selection {
  readonly path: string;
  readonly excludes: readonly string[];
  readonly keepsParents: boolean;
}

/** Where a graph gets what is not in the Dockerfile. */
export interface GraphSources {
  /** @throws {EngineError} not-found when nobody has the image */
  image(reference: string, platform: Platform): Promise<BaseImage>;
  /**
   * The digest of the selected files: paths, kinds, modes, content; not times.
   *
   * @throws {EngineError} invalid or not-found when the path selects nothing
   */
  contextDigest(selection: Selection): SelectionDigest;
}

export interface SelectionDigest {
  readonly digest: Digest;
  /** True for a wildcard that matches nothing. */
  readonly isEmpty: boolean;
}

/** What a build was asked for, as far as it shapes the graph. */
export interface GraphOptions {
  readonly target?: string;
  readonly buildArgs: BuildArgs;
  readonly labels: ReadonlyMap<string, string>;
  readonly platform: Platform;
  readonly buildPlatform: Platform;
  /** For steps that do not say another. */
  readonly network: StepNetwork;
  readonly extraHosts: readonly string[];
  readonly resources: StepResources;
  readonly rlimits: readonly StepRlimit[];
  readonly shmBytes?: number;
  readonly cgroupParent?: string;
  /** Names the sequence of builds that this one belongs to, so that misses are explained by the build before. */
  readonly project: string;
}
