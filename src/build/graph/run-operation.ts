/** How a step reaches the network; `named` is one that people made, `container` joins one that runs. */
export type StepNetwork =
  | { readonly kind: "bridge" }
  | { readonly kind: "none" }
  | { readonly kind: "host" }
  | { readonly kind: "named"; readonly name: string }
  | { readonly kind: "container"; readonly id: string };

/** Limits of steps, as the build was asked for; absent is Docker's default. */
export interface StepResources {
  readonly memoryBytes?: number;
  readonly memorySwapBytes?: number;
  readonly cpuShares?: number;
  readonly cpuPeriodUs?: number;
  readonly cpuQuotaUs?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
}

export interface StepRlimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** What a step sees mounted beside its file system. Targets are absolute. */
export type StepMount =
  /** Another vertex's file system, or a part of it. What is written to it is thrown away. */
  | {
      readonly type: "bind";
      readonly target: string;
      /** Index into the vertex's inputs. */
      readonly input: number;
      readonly source: string;
      readonly isReadOnly: boolean;
    }
  /** A folder that outlives builds and is part of no image. */
  | {
      readonly type: "cache";
      readonly target: string;
      readonly id: string;
      readonly sharing: "shared" | "private" | "locked";
      readonly isReadOnly: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      /** Where the first content comes from: an input, and a path in it. */
      readonly seed?: { readonly input: number; readonly source: string };
    }
  | { readonly type: "tmpfs"; readonly target: string; readonly sizeBytes?: number };

/** RUN. */
export interface RunOperation {
  readonly kind: "run";
  readonly args: readonly string[];
  /** A script that is given to the step as a file; `args` names its path. */
  readonly script?: { readonly path: string; readonly text: string };
  /** `KEY=value`: ENV, and the arguments in scope that no ENV hides. */
  readonly env: readonly string[];
  /** Predefined proxy arguments that were given; no part of the key. */
  readonly proxyEnv: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly network: StepNetwork;
  readonly mounts: readonly StepMount[];
  readonly hostname: string;
  /** `name:ip`. */
  readonly extraHosts: readonly string[];
  readonly resources: StepResources;
  readonly rlimits: readonly StepRlimit[];
  readonly shmBytes?: number;
  /** Absolute path in every hierarchy; `/darse` when absent. */
  readonly cgroupParent?: string;
  readonly platform: string;
}
