import { existsSync } from "node:fs";
import { join } from "node:path";
import { MS_BIND, MS_PRIVATE, MS_REMOUNT, MS_SHARED, MS_SLAVE } from "./constants.ts";
import { errnoNumber, SystemCallError } from "./errno.ts";
import type { MountEntry, Mounts } from "./kernel.ts";

const CHANGES_ONLY = MS_REMOUNT | MS_PRIVATE | MS_SLAVE | MS_SHARED;
const MAX_DATA_BYTES = 4095;

/** Mounts of the fake: a table in memory; targets and bind sources are real paths. */
export function modelledMounts(): Mounts {
  const table: MountEntry[] = [];
  const isTarget = (path: string): boolean => table.some(({ target }) => target === path);

  return {
    mount({ source, target, type = "none", flags = 0, data = "", cwd = "/" }) {
      if (Buffer.byteLength(data) > MAX_DATA_BYTES) throw refusal("mount", "E2BIG", target);
      if (!existsSync(target)) throw refusal("mount", "ENOENT", target);
      if ((flags & CHANGES_ONLY) !== 0) {
        if (!isTarget(target)) throw refusal("mount", "EINVAL", target);
        return;
      }
      const isBind = (flags & MS_BIND) !== 0;
      if (isBind && !existsSync(join(cwd, source))) throw refusal("mount", "ENOENT", target);
      table.push({
        id: (table.at(-1)?.id ?? 1) + 1,
        parentId: 1,
        root: isBind ? source : "/",
        target,
        options: ["rw", "relatime"],
        tags: [],
        type: isBind ? "ext4" : type,
        source,
        superOptions: ["rw", ...(data === "" ? [] : data.split(","))],
      });
    },

    unmount(target) {
      if (!existsSync(target)) throw refusal("umount2", "ENOENT", target);
      if (!isTarget(target)) throw refusal("umount2", "EINVAL", target);
      table.splice(
        table.findLastIndex((mounted) => mounted.target === target),
        1,
      );
    },

    mounts: () => [...table],
  };
}

/** The refusal that the kernel would give. */
export function refusal(call: string, code: string, path: string): SystemCallError {
  return new SystemCallError(call, errnoNumber(code), path);
}
