import type { Clock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import type { Emit } from "#base/event.ts";
import type { Logger } from "#base/log.ts";
import { Builder } from "#build/builder.ts";
import { applyChanges } from "#build/changes.ts";
import { Containers } from "#container/containers.ts";
import { imagesOf, snapshotsOf } from "#container/lineage.ts";
import { EVERY } from "#container/list-filters.ts";
import { ImageStore } from "#image/image-store.ts";
import { type HostFacts, readHostFacts } from "#linux/host-facts.ts";
import type { Kernel } from "#linux/kernel.ts";
import { listProcesses } from "#linux/process-table/process-table.ts";
import { UsageMeter } from "#linux/usage/usage-meter.ts";
import { NetworkManager } from "#network/network-manager.ts";
import type { ChainId, Digest } from "#oci/digest.ts";
import { RegistryClient } from "#registry/registry-client.ts";
import { readHostFacts as readRuntimeFacts } from "#runtime/read-host-facts.ts";
import { Runtime } from "#runtime/runtime.ts";
import { ContentStore } from "#store/content/content-store.ts";
import { applyLayer } from "#store/layer/apply.ts";
import { writeLayer } from "#store/layer/diff.ts";
import type { Layout } from "#store/layout.ts";
import { type Database, openDatabase } from "#store/metadata/database.ts";
import { collectGarbage } from "#store/metadata/garbage.ts";
import { OverlaySnapshotter } from "#store/snapshot/overlay-snapshotter.ts";
import { VolumeStore } from "#store/volume/volume-store.ts";
import type { Configuration } from "./configuration.ts";

export interface EngineOptions {
  readonly configuration: Configuration;
  readonly paths: Layout;
  readonly kernel: Kernel;
  readonly log: Logger;
}

interface Surroundings {
  /** Takes what must be let go at the end. */
  readonly disposal: AsyncDisposableStack;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** What lies on disk. */
interface Stores {
  readonly database: Database;
  readonly content: ContentStore;
  readonly snapshots: OverlaySnapshotter;
  readonly volumes: VolumeStore;
}

/** What makes use of it and of the kernel. */
interface Services {
  readonly images: ImageStore;
  readonly runtime: Runtime;
  readonly network: NetworkManager;
}

/** What people come for. */
interface Engines {
  readonly containers: Containers;
  readonly builder: Builder;
}

export interface Rooms extends Stores, Services, Engines {
  readonly host: HostFacts;
  /** Removes from disk what neither reference, lease, container nor build cache names. */
  readonly collectGarbage: () => Promise<{ readonly reclaimedBytes: number }>;
}

/** Constructs every room, in the order of the map, and hands each what it needs of those below. */
export async function openRooms(options: EngineOptions, around: Surroundings): Promise<Rooms> {
  const host = readHostFacts();
  const stores = await openStores(options, around);
  const stopping = new AbortController();
  around.disposal.defer(() => stopping.abort(new EngineError("cancelled", "the engine is stopping")));
  const garbage: Rooms["collectGarbage"] = () =>
    collectGarbage({ ...stores, roots: rootsOf(engines) }, stopping.signal);
  const services = await openServices(options, { ...around, stores, garbage });
  const engines = openEngines(options, { ...around, stores, services, cpuCount: host.cpuCount });
  return { ...stores, ...services, ...engines, host, collectGarbage: garbage };
}

/** Compares the records of every room with the world. Once, before the first request. */
export async function recoverRooms(rooms: Rooms, kernel: Kernel): Promise<void> {
  const { volumes, builder, containers, snapshots, network } = rooms;
  await volumes.recover((name, newName) => containers.renameVolume(name, newName));
  await builder.recover(kernel);
  await containers.recover(async ({ live, known }) => {
    await snapshots.recover(new Set([...known, ...builder.snapshotKeys()]));
    await network.recover(live);
  });
  volumes.unmountUnheld();
}

async function openStores(
  { paths, kernel, log }: EngineOptions,
  { disposal, clock }: Surroundings,
): Promise<Stores> {
  const database = disposal.use(openDatabase(paths.database, clock));
  // what a dead engine was working on is nobody's any more
  database.leases.endAll();
  const content = await ContentStore.open(paths.content);
  await content.recover();
  const at = (root: string, table: string) => ({
    root,
    records: database.documents(table),
    kernel,
    log,
    clock,
  });
  const snapshots = disposal.use(OverlaySnapshotter.open(at(paths.snapshots, "snapshots")));
  const volumes = disposal.use(VolumeStore.open(at(paths.volumes, "volumes")));
  return { database, content, snapshots, volumes };
}

async function openServices(
  { configuration, paths, kernel, log }: EngineOptions,
  {
    disposal,
    clock,
    emit,
    stores,
    garbage,
  }: Surroundings & { stores: Stores; garbage: Rooms["collectGarbage"] },
): Promise<Services> {
  const { database } = stores;
  const { bridge } = configuration;
  const network = NetworkManager.open({
    kernel,
    database,
    runDirectory: paths.run,
    log,
    bridge,
    clock,
    emit,
  });
  disposal.defer(async () => {
    await network.teardownIfIdle();
    await network.close();
  });
  const runtime = Runtime.open({ runDirectory: paths.run, kernel, log });
  disposal.defer(() => runtime.close());
  const images = await ImageStore.open({
    ...stores,
    records: database,
    applyLayer,
    applyChanges,
    collectGarbage: garbage,
    emit,
    log,
    clock,
    openRegistry: (domain, credentials) =>
      new RegistryClient({ domain, credentials, settings: configuration.registries }),
  });
  return { images, runtime, network };
}

function openEngines(
  { paths, kernel, log }: EngineOptions,
  {
    disposal,
    clock,
    emit,
    stores,
    services,
    cpuCount,
  }: Surroundings & {
    stores: Stores;
    services: Services;
    cpuCount: number;
  },
): Engines {
  const { database } = stores;
  const facts = readRuntimeFacts(kernel);
  const containers = Containers.open({
    ...stores,
    ...services,
    documents: database.documents("containers"),
    host: kernel,
    facts,
    meter: new UsageMeter(kernel.mounts()),
    listProcesses,
    folders: { state: paths.containers, run: paths.runContainers },
    cpuCount,
    emit,
    clock,
    log,
  });
  disposal.defer(() => containers.close());
  const builder = new Builder({
    ...stores,
    ...services,
    networks: services.network,
    documents: database.documents("build_cache"),
    leases: database.leases,
    hostFacts: () => facts,
    folder: paths.builds,
    writeLayer,
    kernel,
    clock,
    log,
  });
  return { containers, builder };
}

/** What containers and the build cache hold of the store. */
function rootsOf({ containers, builder }: Engines): { digests: Digest[]; chainIds: ChainId[] } {
  const records = containers.list(EVERY);
  const cached = builder.cache.roots();
  return {
    digests: [...records.flatMap(imagesOf), ...cached.digests],
    chainIds: [...records.flatMap(snapshotsOf), ...cached.chainIds],
  };
}
