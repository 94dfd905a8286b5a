import { Builder } from "#build/builder.ts";
import { applyChanges } from "#build/changes.ts";
import { systemClock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import { Containers } from "#container/containers.ts";
import { EVERY } from "#container/list-filters.ts";
import { isAlive } from "#container/state.ts";
import { ImageStore } from "#image/image-store.ts";
import type { ImageUser } from "#image/image.ts";
import { readHostFacts } from "#linux/host-facts.ts";
import type { Kernel } from "#linux/kernel.ts";
import { listProcesses } from "#linux/process-table/process-table.ts";
import { UsageMeter } from "#linux/usage/usage-meter.ts";
import { NetworkManager } from "#network/network-manager.ts";
import type { ChainId, Digest } from "#oci/digest.ts";
import { hostPlatform } from "#oci/platform.ts";
import { readHostFacts as readRuntimeFacts } from "#runtime/read-host-facts.ts";
import { Runtime } from "#runtime/runtime.ts";
import { ContentStore } from "#store/content/content-store.ts";
import { applyLayer } from "#store/layer/apply.ts";
import { writeLayer } from "#store/layer/diff.ts";
import type { Layout } from "#store/layout.ts";
import { openDatabase } from "#store/metadata/database.ts";
import { collectGarbage } from "#store/metadata/garbage.ts";
import { OverlaySnapshotter } from "#store/snapshot/overlay-snapshotter.ts";
import { VolumeStore } from "#store/volume/volume-store.ts";
import type { Configuration } from "./configuration.ts";
import { containerFilesRoutes } from "./container-files.ts";
import { EventBus } from "./events.ts";
import type { Route } from "./http/route.ts";
import { absentRoutes } from "./routes/absent.ts";
import { buildRoutes } from "./routes/build.ts";
import { containerRoutes } from "./routes/containers.ts";
import { watchRoutes } from "./routes/containers-watch.ts";
import { execRoutes } from "./routes/exec.ts";
import { imageRoutes } from "./routes/images.ts";
import { networkRoutes } from "./routes/networks.ts";
import { systemRoutes } from "./routes/system.ts";
import { volumeRoutes } from "./routes/volumes.ts";
import { describe } from "./describe.ts";
import { encodeVersion } from "./system.ts";
import { Volumes } from "./volumes.ts";

export interface EngineOptions {
  readonly configuration: Configuration;
  readonly paths: Layout;
  readonly kernel: Kernel;
  readonly log: Logger;
}

/**
 * The whole engine: every room constructed once, in the order of the map, handed what it needs, recovered, and disposed
 * in reverse. Start here to see how the rooms fit together.
 */
export class Engine implements AsyncDisposable {
  readonly routes: readonly Route[];
  readonly #disposal: AsyncDisposableStack;

  private constructor(routes: readonly Route[], disposal: AsyncDisposableStack) {
    this.routes = routes;
    this.#disposal = disposal;
  }

  /** Start-up is recovery: each room compares its records with the world before the first request. */
  static async open({ configuration, paths, kernel, log }: EngineOptions): Promise<Engine> {
    await using disposal = new AsyncDisposableStack();
    const clock = systemClock;
    const events = new EventBus(clock);
    const emit = events.emit.bind(events);

    const database = disposal.use(openDatabase(paths.database, clock));
    const content = await ContentStore.open(paths.content);
    const snapshots = disposal.use(
      OverlaySnapshotter.open({
        root: paths.snapshots,
        records: database.documents("snapshots"),
        kernel,
        log,
      }),
    );
    const volumes = disposal.use(
      VolumeStore.open({
        root: paths.volumes,
        records: database.documents("volumes"),
        kernel,
        log,
        clock,
      }),
    );
    const network = NetworkManager.open({
      kernel,
      database,
      runDirectory: paths.run,
      log,
      bridge: configuration.bridge,
      clock,
    });
    disposal.defer(async () => {
      await network.teardownIfIdle();
      await network.close();
    });
    const runtime = Runtime.open({ runDirectory: paths.run, kernel, log });
    disposal.defer(() => runtime.close());
    const stopping = new AbortController();
    disposal.defer(() => stopping.abort(new EngineError("cancelled", "the engine is stopping")));
    const garbage = (): Promise<{ reclaimedBytes: number }> =>
      collectGarbage({ database, content, snapshots, roots: rootsOf(containers, builder) }, stopping.signal);
    const images = await ImageStore.open({
      content,
      snapshots,
      applyLayer,
      records: database,
      emit,
      log,
      applyChanges,
      collectGarbage: () => garbage(),
      clock,
    });
    const host = readHostFacts();
    const runtimeFacts = readRuntimeFacts(kernel);
    const containers = Containers.open({
      documents: database.documents("containers"),
      images,
      snapshots,
      volumes,
      network,
      runtime,
      host: kernel,
      facts: runtimeFacts,
      meter: new UsageMeter(kernel.mounts()),
      listProcesses,
      folders: { state: paths.containers, run: paths.runContainers },
      emit,
      clock,
      log,
      cpuCount: host.cpuCount,
    });
    disposal.defer(() => containers.close());

    const builder = new Builder({
      images,
      snapshots,
      content,
      writeLayer,
      kernel,
      runtime,
      networks: network,
      log,
      leases: database.leases,
      hostFacts: () => runtimeFacts,
      folder: paths.builds,
      documents: database.documents("build_cache"),
      clock,
    });

    database.leases.endAll();
    await content.recover();
    await volumes.recover();
    await builder.recover(kernel);
    await containers.recover(async ({ live, known }) => {
      await snapshots.recover(new Set([...known, ...builder.snapshotKeys()]));
      await network.recover(live);
    });

    const about = { host, database, kernel, configuration, containers, images, events };
    const routes = [
      ...systemRoutes({
        version: () => encodeVersion(host, hostPlatform()),
        info: () => describe(about),
        events,
      }),
      ...containerRoutes({ containers, clock }),
      ...watchRoutes(containers),
      ...execRoutes(containers.execs),
      ...containerFilesRoutes({
        containers,
        images,
        content,
        snapshots,
        volumes,
        leases: database.leases,
        openRoot: (path) => kernel.openRoot(path),
        applyChanges,
        emit,
        clock,
      }),
      ...buildRoutes({ builder, collectGarbage: garbage, clock }),
      ...volumeRoutes({
        volumes: new Volumes({ store: volumes, usersOf: (name) => containers.usersOfVolume(name), emit }),
        pathOf: (name) => volumes.path(name),
      }),
      ...networkRoutes({
        networks: network,
        containerNames: () => new Map(containers.list(EVERY).map(({ id, name }) => [id, name])),
      }),
      ...imageRoutes({ images, usersOf: (id) => usersOf(containers, id), clock }),
      ...absentRoutes(),
    ];
    return new Engine(routes, disposal.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disposal.disposeAsync();
  }
}

/** What containers and the build cache hold of the store. */
function rootsOf(containers: Containers, builder: Builder): { digests: Digest[]; chainIds: ChainId[] } {
  const records = containers.list(EVERY);
  const cached = builder.cache.roots();
  return {
    digests: [...records.map(({ imageId }) => imageId), ...cached.digests],
    chainIds: [...records.flatMap(({ parent }) => parent ?? []), ...cached.chainIds],
  };
}

function usersOf(containers: Containers, image: Digest): ImageUser[] {
  return containers
    .list(EVERY)
    .filter(({ imageId }) => imageId === image)
    .map(({ id, state }) => ({ containerId: id, isRunning: isAlive(state) }));
}
