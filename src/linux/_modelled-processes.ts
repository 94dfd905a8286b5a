import { existsSync } from "node:fs";
import { refusal } from "./_modelled-mounts.ts";
import type { Pidfd, Processes, ResourceLimit, ResourceName } from "./kernel.ts";

const SIGKILL = 9;
/** The hard limit of a host that does not let us raise it. */
const HARD_LIMIT = 20_000;

/** What a test does to the processes of the fake. */
export interface ProcessTable {
  /** A process that runs until `end`, or SIGKILL; its pid. */
  start(): number;
  end(pid: number): void;
}

/** Processes of the fake: pids that live until a test or SIGKILL ends them; other signals are only recorded. */
export function modelledProcesses(): Processes & { readonly table: ProcessTable } {
  const alive = new Map<number, PromiseWithResolvers<void>>();
  const limits = new Map<ResourceName, ResourceLimit>();
  let nextPid = 1000;

  const end = (pid: number): void => {
    alive.get(pid)?.resolve();
    alive.delete(pid);
  };

  const processes: Processes = {
    kill(pid, signal) {
      if (pid < 1) throw refusal("kill", "EINVAL", String(pid));
      if (!alive.has(pid)) return false;
      if (signal === SIGKILL) end(pid);
      return true;
    },
    isAlive: (pid) => alive.has(pid),
    openPidfd(pid) {
      const running = alive.get(pid);
      return running && modelledPidfd(running.promise, (signal) => processes.kill(pid, signal));
    },
    becomeSubreaper: () => undefined,
    limit: (name) => limits.get(name) ?? { soft: 1024, hard: HARD_LIMIT },
    setLimit(name, { soft, hard }) {
      const ceiling = processes.limit(name).hard;
      const set = { soft: Math.min(soft, ceiling), hard: Math.min(hard, ceiling) };
      limits.set(name, set);
      return set;
    },
    connectSeqpacket(path) {
      throw refusal("connect", existsSync(path) ? "ECONNREFUSED" : "ENOENT", path);
    },
  };

  const start = (): number => {
    nextPid += 1;
    alive.set(nextPid, Promise.withResolvers());
    return nextPid;
  };
  return { ...processes, table: { start, end } };
}

function modelledPidfd(exited: Promise<void>, kill: (signal: number) => boolean): Pidfd {
  let isOpen = true;
  const open = (): void => {
    if (!isOpen) throw new Error("Cannot use a process descriptor after it was closed");
  };
  return {
    exited() {
      open();
      return exited;
    },
    kill(signal) {
      open();
      return kill(signal);
    },
    [Symbol.dispose]() {
      isOpen = false;
    },
  };
}
