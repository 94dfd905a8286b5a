import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import { containerPaths } from "./folders.ts";
import type { MountPoint } from "./mount-point.ts";
import type { World } from "./world.ts";

/** `umount2(2)`: out of the way at once, gone when nobody uses it any more. */
const MNT_DETACH = 2;

/**
 * Where a mount's source lies on this host. A source that `Binds` names is made when it is missing (a folder of root);
 * `Mounts` asks for that by `CreateMountpoint`.
 *
 * @throws {EngineError} invalid, in Docker's words
 */
export function sourceOf(mount: MountPoint, { volumes }: Pick<World, "volumes">): string {
  if (mount.type === "volume") return volumes.path(mount.name ?? "");
  const source = mount.source ?? "";
  if (mount.isLenient || mount.options?.createMountpoint) makeMissing(source);
  else checkBindSource(mount);
  return source;
}

/**
 * Takes a container's root out of `<run>`; success when it is not there. Folders go only when they are empty: below a
 * mount that could not be taken away lies the container's data.
 */
export function unmountRoot({ host, folders }: Pick<World, "host" | "folders">, id: ContainerId): void {
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
