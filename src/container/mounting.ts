import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import { containerPaths } from "./folders.ts";
import type { MountPoint } from "./mount-point.ts";
import { mountImage, mountSubpath, unmountRunMounts } from "./run-mounts.ts";
import type { World } from "./world.ts";

/** `umount2(2)`: out of the way at once, gone when nobody uses it any more. */
const MNT_DETACH = 2;

/**
 * Where a mount's source lies on this host. A source that `Binds` names is made when it is missing (a folder of root);
 * `Mounts` asks for that by `CreateMountpoint`.
 *
 * @throws {EngineError} invalid, in Docker's words
 */
export function sourceOf(
  mount: MountPoint,
  world: Pick<World, "volumes" | "host" | "folders" | "snapshots">,
  id: ContainerId,
): string {
  if (mount.type === "image") return mountImage(world, { id, mount });
  if (mount.type === "volume") {
    const volume = world.volumes.path(mount.name ?? "");
    return mount.subpath === undefined ? volume : mountSubpath(world, { id, mount, volume });
  }
  const source = mount.source ?? "";
  if (mount.isLenient || mount.options?.createMountpoint) makeMissing(source);
  else checkBindSource(mount);
  checkPropagation(mount, world.host.mounts());
  return source;
}

type Roots = Pick<World, "host" | "folders" | "roots">;

/** Has the data there of every volume that a container mounts; `unmountRoot` lets them go. @throws {EngineError} internal */
export async function holdVolumes(
  { volumes }: { readonly volumes: Pick<World["volumes"], "hold"> },
  { id, mounts }: { readonly id: string; readonly mounts: readonly MountPoint[] },
): Promise<void> {
  for (const { type, name } of mounts) {
    if (type === "volume" && name !== undefined) await volumes.hold(name, id);
  }
}

/** Mounts a container's root, writable, for its run. */
export function mountRoot(
  { snapshots, folders, roots }: Roots & Pick<World, "snapshots">,
  id: ContainerId,
): void {
  if (!roots.isHeld(id)) snapshots.mount(id, containerPaths(folders, id).rootfs);
  roots.beginRun(id);
}

/** A container's root, mounted for as long as this is not disposed. */
export interface HeldRoot extends Disposable {
  readonly path: string;
  /** Fires when the container is removed: the root is gone then. */
  readonly signal: AbortSignal;
}

/** Keeps a container's root mounted, whether it runs or not. */
export function holdRoot(world: Roots & Pick<World, "snapshots">, id: ContainerId): HeldRoot {
  const { host, folders, roots, snapshots } = world;
  const path = containerPaths(folders, id).rootfs;
  const isThere =
    roots.isHeld(id) || roots.isRunning(id) || host.mounts().some(({ target }) => target === path);
  if (!isThere) snapshots.mount(id, path);
  else if (!roots.isHeld(id)) roots.beginRun(id);
  const hold = roots.hold(id);
  return {
    path,
    signal: hold.signal,
    [Symbol.dispose]: () => {
      hold.release();
      if (!roots.isHeld(id) && !roots.isRunning(id) && !hold.signal.aborted) takeAway(world, id);
    },
  };
}

/** Takes a run's mounts away: the root out of `<run>`, unless somebody holds it. Success when nothing is there. */
export function unmountRoot(world: Roots & Pick<World, "volumes">, id: ContainerId): void {
  unmountRunMounts(world, id);
  world.volumes.release(id);
  if (world.roots.endRun(id)) takeAway(world, id);
}

/** Folders go only when they are empty: below a mount that could not be taken away lies the container's data. */
function takeAway({ host, folders }: Roots, id: ContainerId): void {
  const { rootfs } = containerPaths(folders, id);
  ignoring(["EINVAL", "ENOENT"], () => host.unmount(rootfs, MNT_DETACH));
  for (const folder of [rootfs, dirname(rootfs)]) {
    ignoring(["ENOENT", "ENOTEMPTY", "EBUSY"], () => rmdirSync(folder));
  }
}

function ignoring(codes: readonly string[], work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isErrno(error, ...codes)) throw error;
  }
}

/** @throws {EngineError} invalid when the source of a strict bind is not there */
export function checkBindSource({ type, source = "", isLenient, options }: MountPoint): void {
  if (type !== "bind" || isLenient || options?.createMountpoint) return;
  if (statSync(source, { throwIfNoEntry: false }) !== undefined) return;
  throw new EngineError(
    "invalid",
    `invalid mount config for type "bind": bind source path does not exist: ${source}`,
  );
}

/**
 * What is mounted below a source reaches a container only when the mount that the source lies on spreads it. Docker's
 * rule and words (daemon/oci_linux.go).
 *
 * @throws {EngineError} invalid
 */
export function checkPropagation(
  { source = "", propagation = "" }: Pick<MountPoint, "source" | "propagation">,
  mounts: ReturnType<World["host"]["mounts"]>,
): void {
  const wantsShared = propagation === "shared" || propagation === "rshared";
  if (!wantsShared && propagation !== "slave" && propagation !== "rslave") return;
  const above = mounts
    .filter(({ target }) => target === "/" || source === target || source.startsWith(`${target}/`))
    .toSorted((left, right) => left.target.length - right.target.length)
    .at(-1);
  const { target = "/", tags = [] } = above ?? {};
  const isShared = tags.some((tag) => tag.startsWith("shared:"));
  if (isShared || (!wantsShared && tags.some((tag) => tag.startsWith("master:")))) return;
  const wanted = wantsShared ? "a shared mount" : "a shared or slave mount";
  throw new EngineError("invalid", `path ${source} is mounted on ${target} but it is not ${wanted}`, {
    hint: `mount --make-rshared ${target}`,
  });
}

function makeMissing(path: string): void {
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined)
      mkdirSync(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    if (isErrno(error, "EEXIST")) return;
    throw new EngineError("invalid", `error while creating mount source path '${path}': ${String(error)}`, {
      cause: error,
    });
  }
}
