import type { Logger } from "#base/log.ts";
import type { Pidfd } from "#linux/kernel.ts";
import type { Connector } from "./conmon-streams.ts";
import type { ContainerCgroups } from "./container-cgroups.ts";
import type { OciRuntime } from "./oci-runtime.ts";
import type { RunLayout } from "./run-layout.ts";
import type { SeccompFilters } from "./seccomp-filters.ts";

/** Where a container lives and with what it is handled. */
export interface ContainerPlace {
  readonly id: string;
  readonly layout: RunLayout;
  /** @throws {EngineError} invalid for a name nobody configured. */
  readonly runtime: (name: string) => OciRuntime;
  readonly cgroups: ContainerCgroups;
  readonly filters: SeccompFilters;
  readonly kernel: Connector & { openPidfd(pid: number): Pidfd | undefined };
  readonly log: Logger;
}
