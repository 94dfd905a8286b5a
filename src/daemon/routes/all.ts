import type { Clock } from "#base/clock.ts";
import { applyChanges } from "#build/changes.ts";
import type { Containers } from "#container/containers.ts";
import { imagesOf } from "#container/lineage.ts";
import { EVERY } from "#container/list-filters.ts";
import { isAlive } from "#container/state.ts";
import type { ImageUser } from "#image/image.ts";
import type { Digest } from "#oci/digest.ts";
import { hostPlatform } from "#oci/platform.ts";
import { containerFilesRoutes } from "../container-files.ts";
import { describe } from "../describe.ts";
import type { EventBus } from "../events.ts";
import type { Route } from "../http/route.ts";
import type { EngineOptions, Rooms } from "../rooms.ts";
import { encodeVersion } from "../system.ts";
import { VolumeArchives } from "../volume-archives.ts";
import { Volumes } from "../volumes.ts";
import { absentRoutes } from "./absent.ts";
import { buildRoutes } from "./build.ts";
import { watchRoutes } from "./containers-watch.ts";
import { containerRoutes } from "./containers.ts";
import { diskUsageRoutes } from "./disk-usage.ts";
import { execRoutes } from "./exec.ts";
import { imageRoutes } from "./images.ts";
import { networkRoutes } from "./networks.ts";
import { portRoutes } from "./ports.ts";
import { registryRoutes } from "./registries.ts";
import { systemRoutes } from "./system.ts";
import { volumeRoutes } from "./volumes.ts";

export interface ServedEngine extends EngineOptions, Rooms {
  readonly events: EventBus;
  readonly clock: Clock;
}

/** Every route of the Engine API, each given the rooms it speaks to. */
export function routesOf(engine: ServedEngine): Route[] {
  const { containers, images, builder, collectGarbage, events, clock, host } = engine;
  return [
    ...systemRoutes({
      version: () => encodeVersion(host, hostPlatform()),
      info: () => describe(engine),
      events,
    }),
    ...containerRoutes({ containers, clock }),
    ...watchRoutes(containers),
    ...execRoutes(containers.execs),
    ...filesRoutes(engine),
    ...buildRoutes({ builder, collectGarbage, clock }),
    ...objectRoutes(engine),
    ...imageRoutes({ images, usersOf: (id) => usersOf(containers, id), clock }),
    ...registryRoutes({ images, settings: engine.configuration.registries }),
    ...diskUsageRoutes({
      images,
      usersOf: (id) => usersOf(containers, id),
      containers,
      volumes: engine.volumes,
      cachedSteps: () => builder.cache.all(),
      clock,
    }),
    ...absentRoutes(),
  ];
}

function filesRoutes({ kernel, database, events, ...rooms }: ServedEngine): Route[] {
  return containerFilesRoutes({
    ...rooms,
    leases: database.leases,
    openRoot: (path) => kernel.openRoot(path),
    applyChanges,
    emit: events.emit.bind(events),
  });
}

function objectRoutes({ volumes: store, network, containers, events, clock }: ServedEngine): Route[] {
  const containerNames = () => new Map(containers.list(EVERY).map(({ id, name }) => [id, name]));
  return [
    ...volumeRoutes({
      volumes: new Volumes({
        store,
        users: containers,
        archiver: new VolumeArchives(),
        emit: events.emit.bind(events),
      }),
      pathOf: (name) => store.path(name),
    }),
    ...networkRoutes({
      networks: network,
      containers,
      clock,
      containerNames,
    }),
    ...portRoutes({ survey: () => network.surveyPorts(), containerNames }),
  ];
}

function usersOf(containers: Containers, image: Digest): ImageUser[] {
  return containers
    .list(EVERY)
    .filter((record) => imagesOf(record).includes(image))
    .map(({ id, state }) => ({ containerId: id, isRunning: isAlive(state) }));
}
