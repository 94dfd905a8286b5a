import { lstatSync, statSync } from "node:fs";
import { join } from "node:path";
import type { RuntimeSpec, SpecMount } from "#oci/runtime-spec.ts";
import { StartError } from "./start-error.ts";

/** Where the runtime mounts the kernel's own file systems; whatever is deeper lies inside one of them by then. */
const KERNEL_MOUNTS = ["dev", "proc", "sys"];

/**
 * The specification as it goes into a bundle, of a container or a build step: checked against the root it names, which
 * is mounted by now, and fitted to what the runtime can do.
 *
 * @throws {StartError} for a root that would lead the runtime out of it
 */
export function bundleSpec(spec: RuntimeSpec): RuntimeSpec {
  checkRoot(spec.root.path);
  return { ...spec, mounts: spec.mounts.map(fitted) };
}

/**
 * Refuses a root in which the runtime would mount outside of it: crun 1.8 follows an absolute link at `/dev` on the host
 * (CVE-2026-41579, CVE-2019-19921, CVE-2023-27561). Only folders, and nothing at all, are let through.
 */
function checkRoot(root: string): void {
  for (const name of KERNEL_MOUNTS) {
    // The root is trusted, and the last component is not followed: this looks at nothing of the host.
    const stat = lstatSync(join(root, name), { throwIfNoEntry: false });
    if (stat === undefined || stat.isDirectory()) continue;
    const type = stat.isSymbolicLink() ? "symlink" : stat.isFile() ? "file" : "special file";
    throw new StartError(
      "invalid",
      `Cannot run in this root file system: its /${name} is a ${type}, not a directory`,
      128,
    );
  }
}

/** A file has no mounts below it, and crun 1.8 opens whatever is to be read-only in depth as a folder. */
function fitted(mount: SpecMount): SpecMount {
  if (!mount.options.includes("rro")) return mount;
  if (statSync(mount.source, { throwIfNoEntry: false })?.isDirectory() ?? true) return mount;
  return { ...mount, options: mount.options.filter((option) => option !== "rro") };
}
