import { readdirSync } from "node:fs";
import type { SystemInfo } from "#api/system.ts";
import { newId } from "#base/ids.ts";
import type { Containers } from "#container/containers.ts";
import { EVERY } from "#container/list-filters.ts";
import { isAlive } from "#container/state.ts";
import type { ImageStore } from "#image/image-store.ts";
import type { Kernel } from "#linux/kernel.ts";
import type { Database } from "#store/metadata/database.ts";
import type { Configuration } from "./configuration.ts";
import type { EventBus } from "./events.ts";
import { encodeInfo, type HostFacts } from "./system.ts";

export interface Described {
  readonly host: HostFacts;
  readonly database: Database;
  readonly kernel: Kernel;
  readonly configuration: Configuration;
  readonly containers: Containers;
  readonly images: ImageStore;
  readonly events: EventBus;
}

/** What `/info` tells, gathered now. */
export async function describe({
  host,
  database,
  kernel,
  configuration,
  containers,
  images,
  events,
}: Described): Promise<SystemInfo> {
  const states = containers.list(EVERY).map(({ state }) => state);
  const alive = states.filter(isAlive);
  const paused = alive.filter(({ status }) => status === "paused").length;
  return encodeInfo(host, {
    id: engineId(database),
    containers: { running: alive.length - paused, paused, stopped: states.length - alive.length },
    images: (await images.list()).length,
    rootDirectory: configuration.root,
    backingFilesystem: backingFilesystem(kernel, configuration.root),
    cgroupVersion: kernel.cgroupMode() === "v2" ? "2" : "1",
    hasIpForward: kernel.readSysctl("net.ipv4.ip_forward") === "1",
    openFiles: readdirSync("/proc/self/fd").length,
    eventListeners: events.listenerCount,
    runtimes: new Map([["crun", "crun"]]),
    defaultRuntime: "crun",
    nowMs: Date.now(),
    isDebug: configuration.logLevel === "debug",
    registries: configuration.registries,
  });
}

/** Made once, kept for the life of the root folder. */
function engineId(database: Database): string {
  const table = database.documents("engine");
  const known = table.find("id");
  if (typeof known === "string") return known;
  const id = newId();
  table.put("id", id);
  return id;
}

/** Type of the file system that `root` lies on: that of the longest mount point above it. */
function backingFilesystem(kernel: Kernel, root: string): string {
  const above = kernel
    .mounts()
    .filter(({ target }) => target === "/" || root === target || root.startsWith(`${target}/`));
  return above.toSorted((a, b) => b.target.length - a.target.length)[0]?.type ?? "unknown";
}
