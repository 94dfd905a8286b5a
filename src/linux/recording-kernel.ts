import { existsSync, statSync } from "node:fs";
import { modelledMounts, refusal } from "./_modelled-mounts.ts";
import { modelledNamespaces } from "./_modelled-namespaces.ts";
import { modelledProcesses, type ProcessTable } from "./_modelled-processes.ts";
import { openRoot } from "./in-root.ts";
import type { CgroupMode, Files, Host, Kernel } from "./kernel.ts";

/** One call, as it was made: `["unmount", "/run/x", 2]`. */
export type RecordedCall = readonly [name: string, ...args: unknown[]];

export interface RecordingKernel {
  readonly kernel: Kernel;
  /** In the order they were made, the refused ones too. */
  readonly calls: readonly RecordedCall[];
  readonly processes: ProcessTable;
}

export interface RecordingOptions {
  readonly cgroupMode?: CgroupMode;
  /** Settings below `/proc/sys`; any other is refused with ENOENT. */
  readonly sysctls?: Readonly<Record<string, string>>;
}

/**
 * A kernel for tests: it records every call and answers from a small model of mounts, namespaces, processes, locks and
 * settings. Files are real ones, in a temporary folder of the test's; `openRoot` is the true door, which needs no root.
 */
export function recordingKernel(options: RecordingOptions = {}): RecordingKernel {
  const { table, ...processes } = modelledProcesses();
  const mounts = modelledMounts();
  const model: Kernel = {
    ...mounts,
    ...modelledNamespaces(mounts),
    ...modelledFiles(),
    ...processes,
    ...modelledHost(options),
  };
  const calls: RecordedCall[] = [];
  const kernel = new Proxy(model, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]): unknown => {
        calls.push([String(name), ...args]);
        return Reflect.apply(method, target, args);
      };
    },
  });
  return { kernel, calls, processes: table };
}

function modelledFiles(): Files {
  const attributes = new Map<string, Map<string, Uint8Array>>();
  const locked = new Set<string>();
  const of = (path: string, call: string): Map<string, Uint8Array> => {
    if (!existsSync(path)) throw refusal(call, "ENOENT", path);
    const found = attributes.get(path) ?? new Map<string, Uint8Array>();
    attributes.set(path, found);
    return found;
  };
  return {
    openRoot,
    getXattr: (path, name) => of(path, "getxattr").get(name)?.slice(),
    setXattr: (path, name, value) => void of(path, "setxattr").set(name, value.slice()),
    listXattrs: (path) => [...of(path, "listxattr").keys()],
    fsyncDirectory(path) {
      if (!existsSync(path)) throw refusal("open", "ENOENT", path);
      if (!statSync(path).isDirectory()) throw refusal("open", "ENOTDIR", path);
    },
    flock(path) {
      if (locked.has(path)) return undefined;
      locked.add(path);
      return { [Symbol.dispose]: () => void locked.delete(path) };
    },
  };
}

function modelledHost({ cgroupMode = "v2", sysctls = {} }: RecordingOptions): Host {
  const settings = new Map(Object.entries(sysctls));
  const read = (name: string): string => {
    const value = settings.get(name);
    if (value === undefined) throw refusal("open", "ENOENT", name);
    return value;
  };
  return {
    cgroupMode: () => cgroupMode,
    joinRootCgroups: () => undefined,
    readSysctl: read,
    writeSysctl(name, value) {
      read(name);
      settings.set(name, value);
    },
  };
}
