import { closeSync } from "node:fs";
import { EngineError, isErrno } from "#base/errors.ts";
import type { ContainerRoot } from "./neighbours.ts";

const OURS = { mode: 0o755, uid: 0, gid: 0 };
/** Mount points that the runtime needs and an image may lack. Docker's daemon/initlayer/setup_unix.go. */
const MOUNT_POINTS = ["/dev/pts", "/dev/shm", "/proc", "/sys", "/etc"];

/** Where the runtime mounts the kernel's own file systems; whatever is deeper lies inside one of them by then. */
const KERNEL_MOUNTS = ["/dev", "/proc", "/sys"];

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

/**
 * Refuses a root in which the runtime would mount outside of it: crun follows an absolute link at `/dev` on the host
 * (CVE-2026-41579, CVE-2019-19921, CVE-2023-27561). Only folders, and nothing at all, are let through.
 *
 * @throws {EngineError} invalid, naming the path
 */
export function checkKernelMounts(root: ContainerRoot): void {
  for (const path of KERNEL_MOUNTS) {
    const type = typeAt(root, path);
    if (type === undefined || type === "directory") continue;
    throw new EngineError("invalid", `Cannot start the container: its ${path} is a ${type}, not a directory`);
  }
}

function typeAt(root: ContainerRoot, path: string): string | undefined {
  try {
    return root.find(path)?.type;
  } catch (error) {
    if (isErrno(error, "ELOOP", "ENOTDIR")) return "broken path";
    throw error;
  }
}

function attempt(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!isErrno(error, "EEXIST", "ENOTDIR", "ELOOP", "ENOENT", "ENXIO", "EXDEV")) throw error;
  }
}
