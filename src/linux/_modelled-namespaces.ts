import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { refusal } from "./_modelled-mounts.ts";
import type { Mounts, Namespaces } from "./kernel.ts";

/** Network namespaces of the fake: their pins are real files, and mounts in its table. */
export function modelledNamespaces(mounts: Mounts): Namespaces {
  let isElsewhere = false;
  const isPin = (path: string): boolean =>
    mounts.mounts().some(({ target, type }) => target === path && type === "nsfs");

  return {
    createNetworkNamespace(path) {
      try {
        closeSync(openSync(path, "wx"));
      } catch {
        throw refusal("open", existsSync(path) ? "EEXIST" : "ENOENT", path);
      }
      mounts.mount({ source: "nsfs", target: path, type: "nsfs" });
    },

    removeNetworkNamespace(path) {
      if (isPin(path)) mounts.unmount(path);
      rmSync(path, { force: true });
    },

    inNetworkNamespace(path, work) {
      if (!existsSync(path)) throw refusal("open", "ENOENT", path);
      if (!isPin(path)) throw refusal("setns", "EINVAL", path);
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
