import { closeSync } from "node:fs";
import { isErrno } from "#base/errors.ts";
import type { ContainerRoot } from "./neighbours.ts";

const OURS = { mode: 0o755, uid: 0, gid: 0 };
/** Mount points that the runtime needs and an image may lack. Docker's daemon/initlayer/setup_unix.go. */
const MOUNT_POINTS = ["/dev/pts", "/dev/shm", "/proc", "/sys", "/etc"];

/**
 * What every container's root has: mount points, `/.dockerenv`, `/etc/mtab`, and the working directory. Each path is
 * resolved inside the root: an image's links lead nowhere else. A path that the image made impossible (a file, a loop of
 * links) is left to the runtime, whose refusal names it.
 */
export function prepareRoot(root: ContainerRoot, workingDir: string | undefined): void {
  for (const path of MOUNT_POINTS) attempt(() => root.mkdirAll(path, OURS));
  attempt(() => closeSync(root.createFile("/.dockerenv", 0o755)));
  attempt(() => root.symlink("/proc/mounts", "/etc/mtab"));
  if (workingDir !== undefined && workingDir !== "/") attempt(() => root.mkdirAll(workingDir, OURS));
}

function attempt(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!isErrno(error, "EEXIST", "ENOTDIR", "ELOOP", "ENOENT", "ENXIO", "EXDEV")) throw error;
  }
}
