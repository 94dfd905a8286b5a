import { readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "#base/errors.ts";
import { type BundleRecord, findRecord } from "./bundle-record.ts";
import type { ContainerPlace } from "./container-place.ts";

/** What the runtime and conmon write into a bundle; everything but `rootfs`, which is the caller's. */
const OWN_FILES = "config.json process.json process.json.new pid attach ctl winsz oom exec log".split(" ");

/**
 * Removes everything of a container that has ended, or was never finished: cgroups, the runtime's state, exit file,
 * bundle. Whatever still runs in its cgroups is killed. Success when there is nothing.
 */
export async function removeRemains(place: ContainerPlace, known?: BundleRecord): Promise<void> {
  const { id, layout } = place;
  const record = known ?? findRecord(layout.bundle(id));
  if (record) {
    const runtime = place.runtime(record.runtime);
    // The cheap way is a few system calls; it works when no process is left.
    const isEmpty = record.cgroupPath !== "" && place.cgroups.remove(record.cgroupPath);
    if (!isEmpty || !runtime.forget(id)) await runtime.deleteForce(id);
  }
  rmSync(layout.exit(id), { force: true });
  removeBundle(layout.bundle(id));
}

/** Removes our files, and the folder when the caller has unmounted its root from it. */
export function removeBundle(bundle: string): void {
  for (const name of OWN_FILES) rmSync(join(bundle, name), { recursive: true, force: true });
  try {
    for (const name of readdirSync(bundle)) {
      // conmon's own temporary files; never the root file system, which may be mounted.
      if (name !== "rootfs") rmSync(join(bundle, name), { force: true });
    }
    removeEmpty(join(bundle, "rootfs"));
    removeEmpty(bundle);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTEMPTY", "EBUSY", "ENOTDIR")) throw error;
  }
}
