import type { Clock } from "#base/clock.ts";
import type { Emit } from "#base/event.ts";
import type { KeyedLock } from "#base/lock.ts";
import type { Logger } from "#base/log.ts";
import type { HostFacts } from "#runtime/spec/host-facts.ts";
import type { Background } from "./background.ts";
import type { HealthMonitor } from "./health/health-monitor.ts";
import type { Lives } from "./live.ts";
import type { LogKeeper } from "./logs/log-keeper.ts";
import type { ContainerRuntime, Documents, Host, Images, Network, Snapshots, Volumes } from "./neighbours.ts";
import type { Registry } from "./registry.ts";
import type { ListProcesses, Meter } from "./usage.ts";
import type { RootHolds } from "./root-holds.ts";

/** What the engine hands in; see `Containers.open`. */
export interface ContainersOptions {
  readonly documents: Documents;
  readonly images: Images;
  readonly snapshots: Snapshots;
  readonly volumes: Volumes;
  readonly network: Network;
  readonly runtime: ContainerRuntime;
  readonly host: Host;
  readonly facts: HostFacts;
  readonly meter: Meter;
  readonly listProcesses: ListProcesses;
  /** Absolute: `<root>/containers` for what must survive, `<run>/containers` for bundles and mounted roots. */
  readonly folders: { readonly state: string; readonly run: string };
  readonly emit: Emit;
  readonly clock: Clock;
  readonly log: Logger;
  /** Processors of this host, for the limits that a request may ask for. */
  readonly cpuCount: number;
}

/** All that the parts of this room share. */
export interface World extends ContainersOptions {
  readonly registry: Registry;
  readonly lives: Lives;
  readonly lock: KeyedLock;
  readonly background: Background;
  readonly roots: RootHolds;
  readonly logs: LogKeeper;
  readonly health: HealthMonitor;
}
