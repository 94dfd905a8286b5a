import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { EngineError } from "#base/errors.ts";
import { type ContainerId, newContainerId, shortId } from "#base/ids.ts";
import type { Platform } from "#oci/platform.ts";
import { generateSpec } from "#runtime/spec/generate-spec.ts";
import type { ContainerConfig } from "./container-config.ts";
import { hostnameOf } from "./etc-files.ts";
import { containerEvent } from "./events.ts";
import { readHostNames } from "./facts.ts";
import { containerPaths } from "./folders.ts";
import type { EndpointConfig, HostConfig } from "./host-config.ts";
import { withDefaults } from "./host-defaults.ts";
import { mergeWithImage } from "./merge.ts";
import { planMounts } from "./mount-plan.ts";
import type { MountPoint } from "./mount-point.ts";
import { checkBindSource, unmountRoot } from "./mounting.ts";
import { generateName } from "./name-generator.ts";
import type { ContainerImage, VolumeRequest } from "./neighbours.ts";
import { parseNetworkMode } from "./network-mode.ts";
import { attachRequest, checkEndpoints, planEndpoints } from "./network-request.ts";
import { NO_NETWORK } from "./network-state.ts";
import { parsePortSpec } from "./port-spec.ts";
import { commandOf, type ContainerRecord } from "./record.ts";
import { isVolumeUsed } from "./removal.ts";
import { prepareRoot } from "./root-preparation.ts";
import { specInput } from "./spec-plan.ts";
import { resolveLinks } from "./links.ts";
import type { Registry } from "./registry.ts";
import { CREATED } from "./state.ts";
import { checkName, validate } from "./validate.ts";
import type { World } from "./world.ts";

/** What is asked for: nothing of the image in it yet. */
export interface CreateRequest {
  /** With or without the leading slash; a name is made up when absent. */
  readonly name?: string;
  readonly platform?: Platform;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly endpoints: ReadonlyMap<string, EndpointConfig>;
}

type VolumeOrigin = NonNullable<VolumeRequest["origin"]>;

export interface CreatedContainer {
  readonly id: ContainerId;
  /** What was asked for and will not be had. */
  readonly warnings: readonly string[];
}

/**
 * Makes a container: layer, volumes, then its record; when it throws, nothing of it is left.
 *
 * @throws {EngineError} not-found for the image, conflict for the name, invalid or unsupported for the rest
 */
export async function createContainer(
  world: World,
  request: CreateRequest,
  signal: AbortSignal,
): Promise<CreatedContainer> {
  const { registry, images, snapshots, clock } = world;
  const id = newContainerId();
  const image = findImage(world, request);
  const draft = draftRecord(world, request, { id, image, createdAt: clock() });
  // The name that inspect will show, and the image's ports, were asked for by nobody.
  const { hostname, exposedPorts } = request.config;
  const asked = { ...draft.config, hostname, exposedPorts };
  const warnings = [...validate(asked, draft.hostConfig, world.cpuCount), ...checkSpec(world, draft)];
  using _name = registry.reserveName(draft.name, id);
  using holds = new DisposableStack();
  for (const { name } of draft.mounts) if (name !== undefined) holds.use(registry.holdVolume(name, id));
  await using undo = new AsyncDisposableStack();
  const parent = await images.unpack(image, signal);
  const paths = containerPaths(world.folders, id);
  undo.defer(() => rm(paths.state, { recursive: true, force: true }));
  mkdirSync(paths.state, { recursive: true, mode: 0o700 });
  await snapshots.prepare(id, parent);
  undo.defer(() => snapshots.removeActive(id));
  const withImages = await resolveImages(world, draft, signal);
  const mounts = await makeVolumes(world, withImages, { undo, holds });
  await fillRoot(world, { ...draft, mounts });
  const record = { ...draft, parent, mounts };
  registry.add(record);
  undo.move();
  world.emit(containerEvent(record, "create"));
  return { id, warnings };
}

function findImage({ images }: World, { config, platform }: CreateRequest): ContainerImage {
  if (config.image === undefined) throw new EngineError("invalid", "no image specified");
  return images.resolve(config.image, platform);
}

/** The record as far as it can be told without touching anything. */
function draftRecord(
  world: World,
  request: CreateRequest,
  { id, image, createdAt }: { id: ContainerId; image: ContainerImage; createdAt: number },
): ContainerRecord {
  const { registry } = world;
  const config = mergeWithImage(request.config, image.config.config);
  const hostConfig = resolveContainers(
    world,
    withDefaults(request.hostConfig, world.facts.cgroup.mode === "v2" ? "private" : "host"),
  );
  const given = request.name?.replace(/^\//, "");
  if (given !== undefined && given !== "") checkName(given);
  const record: ContainerRecord = {
    id,
    name: given || generateName((name) => registry.isNameTaken(name), shortId(id)),
    createdAt,
    imageId: image.id,
    manifestDigest: image.manifestDigest,
    parent: undefined,
    platform: image.config.platform.os,
    config,
    hostConfig,
    endpoints: planEndpoints(request.endpoints, hostConfig, world.network),
    mounts: planMounts(config, hostConfig, (reference) => registry.get(reference).mounts),
    network: NO_NETWORK,
    state: CREATED,
    restartCount: 0,
    wasStoppedByHand: false,
  };
  if (commandOf(record).length === 0) throw new EngineError("invalid", "no command specified");
  checkEndpoints(record, world.network, registry);
  for (const mount of record.mounts) checkBindSource(mount);
  for (const port of config.exposedPorts) parsePortSpec(port);
  return { ...record, config: { ...config, hostname: shownHostname(record) } };
}

/** Names of other containers become their ids, so that a rename changes nothing. */
function resolveContainers({ registry }: World, host: HostConfig): HostConfig {
  const resolve = (mode: string | undefined): string | undefined =>
    mode?.startsWith("container:") ? `container:${idOf(registry, mode.slice("container:".length))}` : mode;
  return {
    ...host,
    networkMode: resolve(host.networkMode),
    pidMode: resolve(host.pidMode),
    ipcMode: resolve(host.ipcMode),
    ...(host.links && { links: resolveLinks(host.links, (name) => idOf(registry, name)) }),
  };
}

/** Not "not found": of a create, clients take that for the image, and pull it. @throws {EngineError} invalid */
function idOf(registry: Registry, reference: string): ContainerId {
  const found = registry.find(reference);
  if (found) return found.id;
  throw new EngineError("invalid", `No such container: ${reference}`);
}

/** A container that shares another's network has no name of its own. */
function shownHostname(record: ContainerRecord): string | undefined {
  if (parseNetworkMode(record.hostConfig.networkMode).kind === "container") return record.config.hostname;
  return hostnameOf(record, readHostNames());
}

/** Refuses at create what the runtime would refuse at start; what the host can not do comes back as warnings. */
function checkSpec({ facts, registry }: World, record: ContainerRecord): readonly string[] {
  attachRequest(record, registry);
  const paths = containerPaths({ state: "/", run: "/" }, record.id);
  const input = specInput(record, {
    user: { uid: 0, gid: 0, groups: [0], home: "/" },
    hostname: record.config.hostname ?? "",
    etc: paths,
    rootfs: paths.rootfs,
    networkNamespace: record.hostConfig.networkMode === "host" ? undefined : "/",
    pidNamespace: undefined,
    ipcNamespace: undefined,
    shmPath: undefined,
    linkEnv: [],
    sourceOf: () => "/",
    initPath: undefined,
  });
  return generateSpec(input, facts).warnings;
}

/** Which snapshot is mounted is settled now, whatever the name comes to mean. @throws {EngineError} invalid */
async function resolveImages(
  { images }: World,
  record: ContainerRecord,
  signal: AbortSignal,
): Promise<ContainerRecord> {
  const mounts: MountPoint[] = [];
  for (const mount of record.mounts) {
    if (mount.type !== "image") {
      mounts.push(mount);
      continue;
    }
    const { source = "" } = mount;
    // Not "not found": of a create, clients take that for the container's image, and pull it.
    if (images.find(source) === undefined) {
      throw new EngineError("invalid", `Cannot mount image "${source}": No such image: ${source}`, {
        hint: `darse pull ${source}`,
      });
    }
    const image = images.resolve(source);
    const chainId = await images.unpack(image, signal);
    if (chainId === undefined) {
      throw new EngineError("invalid", `Cannot mount image "${source}": it holds no files`);
    }
    mounts.push({ ...mount, name: image.id, chainId });
  }
  return { ...record, mounts };
}

/** Makes the volumes that are not there yet, and gives names to those without. */
async function makeVolumes(
  world: World,
  record: ContainerRecord,
  { undo, holds }: { readonly undo: AsyncDisposableStack; readonly holds: DisposableStack },
): Promise<MountPoint[]> {
  const { volumes, registry, emit } = world;
  const { id, mounts } = record;
  const made: MountPoint[] = [];
  for (const mount of mounts) {
    if (mount.type !== "volume" || (mount.name !== undefined && volumes.find(mount.name))) {
      made.push(mount);
      continue;
    }
    const volume = await volumes.create({
      ...(mount.name === undefined ? { origin: originOf(record, mount) } : { name: mount.name }),
      driver: mount.driver ?? "local",
      labels: Object.fromEntries(mount.volumeLabels),
      options: Object.fromEntries(mount.driverOptions),
    });
    holds.use(registry.holdVolume(volume.name, id));
    undo.defer(async () => {
      if (!isVolumeUsed(world, volume.name, id)) await volumes.remove(volume.name);
    });
    emit({ type: "volume", action: "create", id: volume.name, attributes: { driver: volume.driver } });
    made.push({ ...mount, name: volume.name, isAnonymous: mount.name === undefined });
  }
  return made.map((mount) =>
    mount.type === "volume" && mount.name !== undefined
      ? { ...mount, source: volumes.path(mount.name) }
      : mount,
  );
}

/** What a volume without name is remembered by when the container is gone. */
function originOf({ id, name, config }: ContainerRecord, { destination = "" }: MountPoint): VolumeOrigin {
  return { container: id, containerName: name, image: config.image ?? "", path: destination };
}

/** Copies what the image has below each empty volume into it, and makes the working directory. */
async function fillRoot(world: World, { id, config, mounts }: ContainerRecord): Promise<void> {
  const filled = mounts.filter(
    ({ type, options, subpath }) => type === "volume" && !options?.noCopy && subpath === undefined,
  );
  const hasWorkingDir = config.workingDir !== undefined && config.workingDir !== "/";
  if (filled.length === 0 && !hasWorkingDir) return;
  const { rootfs } = containerPaths(world.folders, id);
  world.snapshots.mount(id, rootfs);
  try {
    using root = world.host.openRoot(rootfs);
    prepareRoot(root, config.workingDir);
    for (const { name = "", destination = "" } of filled) {
      const found = root.find(destination, { follow: true });
      if (found !== undefined && found.type !== "directory") {
        throw new EngineError(
          "invalid",
          `cannot mount volume over existing file, file exists ${destination}`,
        );
      }
      await world.volumes.hold(name, id);
      if (found !== undefined) await world.volumes.populate(name, { root: rootfs, pathInRoot: destination });
    }
  } finally {
    unmountRoot(world, id);
  }
}
