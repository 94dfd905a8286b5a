import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MS_BIND, MS_PRIVATE, MS_REMOUNT, MS_SHARED, MS_SLAVE } from "./constants.ts";
import { errnoNumber, SystemCallError } from "./errno.ts";
import type { MountEntry, Mounts, Namespaces } from "./kernel.ts";

const CHANGES_PROPAGATION = MS_PRIVATE | MS_SLAVE | MS_SHARED;
const MAX_DATA_BYTES = 4095;

/** Mounts and network namespaces of the fake: a table in memory; targets and namespace files are real files. */
export function modelledMounts(): Mounts & Namespaces {
  const table: MountEntry[] = [entry(1, { target: "/", type: "ext4", source: "/dev/root", options: ["rw"] })];
  let nextId = 2;
  let isElsewhere = false;

  const add = (found: Pick<MountEntry, "target" | "type" | "source" | "options">): void => {
    table.push(entry(nextId, found));
    nextId += 1;
  };

  const mounts: Mounts = {
    mount({ source, target, type = "none", flags = 0, data = "", cwd = "/" }) {
      if (Buffer.byteLength(data) > MAX_DATA_BYTES) throw refusal("mount", "E2BIG", target);
      if (!existsSync(target)) throw refusal("mount", "ENOENT", target);
      if ((flags & (MS_REMOUNT | CHANGES_PROPAGATION)) !== 0) {
        if (!table.some((mounted) => mounted.target === target)) throw refusal("mount", "EINVAL", target);
        return;
      }
      const isBind = (flags & MS_BIND) !== 0;
      if (isBind && !existsSync(join(cwd, source))) throw refusal("mount", "ENOENT", target);
      add({ target, type: isBind ? "ext4" : type, source, options: data === "" ? ["rw"] : data.split(",") });
    },

    unmount(target) {
      if (!existsSync(target)) throw refusal("umount2", "ENOENT", target);
      const index = table.findLastIndex((mounted) => mounted.target === target);
      if (index < 0) throw refusal("umount2", "EINVAL", target);
      table.splice(index, 1);
    },

    mounts: () => [...table],
  };

  return {
    ...mounts,

    createNetworkNamespace(path) {
      try {
        closeSync(openSync(path, "wx"));
      } catch {
        throw refusal("open", existsSync(path) ? "EEXIST" : "ENOENT", path);
      }
      add({ target: path, type: "nsfs", source: "nsfs", options: ["rw"] });
    },

    removeNetworkNamespace(path) {
      if (table.some(({ target }) => target === path)) mounts.unmount(path);
      rmSync(path, { force: true });
    },

    inNetworkNamespace(path, work) {
      if (!existsSync(path)) throw refusal("open", "ENOENT", path);
      if (!table.some(({ target, type }) => target === path && type === "nsfs")) {
        throw refusal("setns", "EINVAL", path);
      }
      if (isElsewhere) throw new Error("Cannot enter a network namespace from within another");
      isElsewhere = true;
      try {
        const result = work();
        if (result instanceof Promise) throw new Error("Work in a network namespace must be synchronous");
        return result;
      } finally {
        isElsewhere = false;
      }
    },
  };
}

/** The refusal that the kernel would give. */
export function refusal(call: string, code: string, path: string): SystemCallError {
  return new SystemCallError(call, errnoNumber(code), path);
}

function entry(
  id: number,
  { target, type, source, options }: Pick<MountEntry, "target" | "type" | "source" | "options">,
): MountEntry {
  return {
    id,
    parentId: id === 1 ? 0 : 1,
    root: "/",
    target,
    options: ["rw", "relatime"],
    tags: [],
    type,
    source,
    superOptions: options,
  };
}
