import type { Logger } from "#base/log.ts";
import type { ChainId, DiffId } from "#oci/digest.ts";
import type { RuntimeSpec } from "#oci/runtime-spec.ts";
import type { TarSink } from "#oci/tar/tar-writer.ts";
import type { Digest } from "#oci/digest.ts";
import type { HostFacts } from "#runtime/spec/host-facts.ts";
import type { Layer } from "../graph/file-system.ts";
import type { CacheDocuments } from "../solver/build-cache.ts";
import type { StepHost } from "./host.ts";
import type { ContextRegistry } from "../context/context-registry.ts";

/** Snapshots as steps need them; `store/snapshot/` is the real one. */
export interface StepSnapshots {
  find(chainId: ChainId): unknown;
  prepare(key: string, parent: ChainId | undefined): Promise<void>;
  mount(key: string, target: string): void;
  mountView(chainId: ChainId, target: string): void;
  upperPath(key: string): string;
  commit(
    key: string,
    facts: { readonly chainId: ChainId; readonly diffId: DiffId; readonly sizeBytes: number },
  ): Promise<void>;
  removeActive(key: string): Promise<void>;
  actives(): string[];
}

/** Blobs as steps need them; `store/content/` is the real one. */
export interface StepContent {
  find(digest: Digest): Promise<{ readonly size: number } | undefined>;
  write(
    source: AsyncIterable<Uint8Array>,
    expected: { readonly digest?: Digest; readonly size?: number },
    signal: AbortSignal,
  ): Promise<{ readonly digest: Digest; readonly size: number }>;
}

/** Runs a step's process to its end; `runtime/` is the real one. */
export interface StepRuntime {
  runToEnd(
    step: {
      readonly id: string;
      readonly spec: RuntimeSpec;
      readonly onOutput: (stream: "stdout" | "stderr", data: Uint8Array) => void | Promise<void>;
    },
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number }>;
}

/** Gives a step its network; `network/` is the real one. */
export interface StepNetworks {
  attach(
    request: {
      readonly id: string;
      readonly mode: "bridge" | "host" | "none" | `container:${string}`;
      /** In mode `bridge`; the default network when absent. */
      readonly networks?: readonly { readonly network: string; readonly names: readonly string[] }[];
      readonly ports: readonly [];
    },
    signal: AbortSignal,
  ): Promise<{
    readonly namespacePath?: string;
    readonly endpoints: readonly {
      readonly ipv4?: string;
      readonly ipv6?: string;
      readonly gateway?: string;
    }[];
    readonly resolvConf: string;
  }>;
  detach(id: string): Promise<void>;
}

/** Writes the changes of a snapshot as the tar of a layer; `store/layer/diff.ts` is the real one. */
export type WriteLayer = (
  layer: { readonly upper: string; readonly sink: TarSink },
  signal: AbortSignal,
) => Promise<{ readonly diffId: DiffId; readonly sizeBytes: number }>;

export interface ExecutorOptions {
  readonly snapshots: StepSnapshots;
  readonly content: StepContent;
  /** Makes sure that the snapshots of a stack of layers exist. */
  readonly unpack: (layers: readonly Layer[], signal: AbortSignal) => Promise<void>;
  readonly writeLayer: WriteLayer;
  readonly kernel: StepHost;
  readonly runtime: StepRuntime;
  readonly networks: StepNetworks;
  readonly hostFacts: () => HostFacts;
  readonly contexts: ContextRegistry;
  /** Where steps have their mounts and small files: below `<run>`. */
  readonly folder: string;
  /** Keeps track of cache mounts. */
  readonly documents: CacheDocuments;
  readonly log: Logger;
}
