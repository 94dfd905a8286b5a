import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import { cgroupModeOf } from "./cgroups.ts";
import type { MountEntry, Mounts } from "./kernel.ts";

/**
 * On a hybrid host, v1 hierarchies beside a v2 tree, every controller belongs to one side. crun refuses to start while
 * the v2 tree owns one ("cgroups in hybrid mode not supported, drop all controllers from cgroupv2"). Mounting that
 * controller as v1 takes it away from v2, as long as no v2 cgroup uses it.
 */

/** The controllers that the v2 tree of a hybrid host still owns; none on any other host. */
export function strayControllers(kernel: Mounts): string[] {
  const mounts = kernel.mounts();
  const unified = mounts.find(({ type, root }) => type === "cgroup2" && root === "/");
  if (cgroupModeOf(mounts) !== "hybrid" || unified === undefined) return [];
  return readControllers(unified.target);
}

/**
 * Mounts each stray controller as v1, beside the others; the names of those mended. Nothing to do is success.
 * @throws {EngineError} conflict when a v2 cgroup uses the controller, forbidden without the right to mount.
 */
export function mendHybrid(kernel: Mounts): string[] {
  const stray = strayControllers(kernel);
  const folder = v1Folder(kernel.mounts());
  for (const controller of stray) mountController(kernel, controller, join(folder, controller));
  return stray;
}

function mountController(kernel: Mounts, controller: string, target: string): void {
  mkdirSync(target, { recursive: true });
  try {
    kernel.mount({ source: controller, target, type: "cgroup", data: controller });
  } catch (error) {
    if (isErrno(error, "EBUSY")) {
      throw new EngineError(
        "conflict",
        `Cannot mount the cgroup controller ${controller}: a v2 cgroup uses it`,
        {
          cause: error,
          hint: "Boot with systemd.unified_cgroup_hierarchy=1, so that v2 owns every controller",
        },
      );
    }
    if (isErrno(error, "EPERM", "EACCES")) {
      throw new EngineError("forbidden", `Cannot mount the cgroup controller ${controller}: it takes root`, {
        cause: error,
        hint: "sudo darse doctor --fix",
      });
    }
    throw error;
  }
}

/** Where the v1 hierarchies are, by the parent of one of them. */
function v1Folder(mounts: readonly MountEntry[]): string {
  const v1 = mounts.find(({ type, root }) => type === "cgroup" && root === "/");
  return v1 === undefined ? "/sys/fs/cgroup" : dirname(v1.target);
}

function readControllers(unified: string): string[] {
  const text = readFileSync(join(unified, "cgroup.controllers"), "utf8").trim();
  return text === "" ? [] : text.split(" ");
}
