import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import type { ChainId } from "#oci/digest.ts";
import { containerPaths } from "./folders.ts";
import type { MountPoint } from "./mount-point.ts";
import type { World } from "./world.ts";

/*
 * Mounts of this host that stand behind those of a container, from its start to its exit:
 *
 *     <state>/<id>/mounts/shm      the shared memory of a container whose IPC namespace others may join
 *     <state>/<id>/mounts/%2Fdata  what `Subpath` names of the volume or image that is mounted on `/data`
 *     <state>/<id>/mounts/image%2Fdata  the image that is mounted on `/data`
 */

type Place = Pick<World, "host" | "folders">;

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MNT_DETACH = 2;
/** Of `open(2)`; Node does not name it. */
const O_PATH = 0o10000000;

/** The shared memory of a container that runs and lets others join its IPC namespace. */
export function shmPath({ folders }: Pick<World, "folders">, id: ContainerId): string {
  return join(folderOf(folders, id), "shm");
}

/** Makes it, for a start. */
export function mountShm(place: Place, id: ContainerId, sizeBytes: number): string {
  const target = shmPath(place, id);
  mkdirSync(target, { recursive: true, mode: 0o700 });
  place.host.mount({
    source: "shm",
    target,
    type: "tmpfs",
    flags: MS_NOSUID | MS_NODEV | MS_NOEXEC,
    data: `mode=1777,size=${sizeBytes}`,
  });
  return target;
}

/**
 * Mounts what a subpath names where no container can reach: another one that has the volume may turn the path into a
 * link at any moment, so that it is resolved once, inside the volume, and pinned.
 *
 * @throws {EngineError} invalid when there is no such path in the volume
 */
export function mountSubpath(
  place: Place,
  { id, mount, volume }: { id: ContainerId; mount: MountPoint; volume: string },
): string {
  const { subpath = "", name = "" } = mount;
  using root = place.host.openRoot(volume);
  const fd = openSubpath(root, subpath, name);
  try {
    const folder = folderOf(place.folders, id);
    const target = join(folder, encodeURIComponent(mount.destination ?? "").slice(-200));
    const isDirectory = fstatSync(fd).isDirectory();
    mkdirSync(isDirectory ? target : folder, { recursive: true, mode: 0o700 });
    if (!isDirectory) writeFileSync(target, "");
    place.host.mount({ source: `/proc/self/fd/${fd}`, target, flags: MS_BIND | MS_REC });
    return target;
  } finally {
    closeSync(fd);
  }
}

/** Mounts an image's files, read-only; of them only what a subpath names. @throws {EngineError} invalid */
export function mountImage(
  place: Place & Pick<World, "snapshots">,
  { id, mount }: { id: ContainerId; mount: MountPoint },
): string {
  const { chainId = "", source = "", subpath, destination = "" } = mount;
  const target = join(folderOf(place.folders, id), `image${encodeURIComponent(destination).slice(-200)}`);
  mkdirSync(target, { recursive: true, mode: 0o700 });
  // Read from a record that was made with it.
  place.snapshots.mountView(chainId as ChainId, target);
  return subpath === undefined
    ? target
    : mountSubpath(place, { id, mount: { ...mount, name: source }, volume: target });
}

/** Takes all of them away; success when there are none. */
export function unmountRunMounts({ host, folders }: Place, id: ContainerId): void {
  const folder = folderOf(folders, id);
  for (const name of namesIn(folder)) {
    const target = join(folder, name);
    try {
      host.unmount(target, MNT_DETACH);
    } catch (error) {
      if (!isErrno(error, "EINVAL", "ENOENT")) throw error;
    }
    removeMountPoint(target);
  }
  removeMountPoint(folder);
}

/** An empty file or folder; what is still mounted stays. */
function removeMountPoint(path: string): void {
  try {
    if (lstatSync(path).isDirectory()) rmdirSync(path);
    else unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "EBUSY", "ENOTEMPTY")) throw error;
  }
}

function openSubpath(root: ReturnType<World["host"]["openRoot"]>, subpath: string, volume: string): number {
  try {
    return root.openFollowing(subpath, O_PATH);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EXDEV", "EACCES")) throw error;
    throw new EngineError(
      "invalid",
      `cannot access path ${subpath} in volume "${volume}": no such file or directory`,
      {
        cause: error,
      },
    );
  }
}

function folderOf(folders: World["folders"], id: ContainerId): string {
  return join(containerPaths(folders, id).state, "mounts");
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
