import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fields, parseJson } from "#base/decode.ts";
import { EngineError, isErrno } from "#base/errors.ts";

/** Who keeps a container, for the engine that comes after this one: `process.json` in the bundle. */
export interface BundleRecord {
  /** The runtime's name; its state is in `stateRoot(runtime)`. */
  readonly runtime: string;
  readonly conmonPid: number;
  /** Undefined until the runtime has created the container. */
  readonly init?: { readonly pid: number; readonly startTime: string };
  readonly cgroupPath: string;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
}

const NAME = "process.json";

export function writeRecord(bundle: string, record: BundleRecord): void {
  const path = join(bundle, NAME);
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** `undefined` when the bundle has no record or one that was not finished. */
export function findRecord(bundle: string): BundleRecord | undefined {
  try {
    return decode(readFileSync(join(bundle, NAME), "utf8"));
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR") || EngineError.is(error, "invalid")) return undefined;
    throw error;
  }
}

/** When a process started, in the kernel's ticks since boot: with the pid, which process it is. `proc_pid_stat(5)`. */
export function findStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the name in brackets, which may hold anything; start time is field 22.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

function decode(text: string): BundleRecord {
  const fields = new Fields(parseJson(text, "bundle record"), "bundle record");
  const init = fields.object("init");
  const pid = init.integer("pid");
  return {
    runtime: fields.required("runtime", fields.string("runtime")),
    conmonPid: fields.required("conmonPid", fields.integer("conmonPid")),
    ...(pid !== undefined && { init: { pid, startTime: init.string("startTime") ?? "" } }),
    cgroupPath: fields.string("cgroupPath") ?? "",
    tty: fields.boolean("tty") ?? false,
    openStdin: fields.boolean("openStdin") ?? false,
    stdinOnce: fields.boolean("stdinOnce") ?? false,
  };
}
