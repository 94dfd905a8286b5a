import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "#base/errors.ts";
import type { Pidfd } from "#linux/kernel.ts";
import type { RunLayout } from "./run-layout.ts";

/** Who can hold a process, so that its number means no other. */
export interface Holder {
  openPidfd(pid: number): Pidfd | undefined;
}

const SIGKILL = 9;

/** In the folder of an exec that the next engine kills. */
const MARK = "ends-with-engine";

export function markAsOurs(directory: string): void {
  writeFileSync(join(directory, MARK), "", { mode: 0o600 });
}

/** The session of a process: that of an exec holds it and what it has started. `proc_pid_stat(5)`. */
export function findSession(pid: number): string | undefined {
  return statField(pid, 3);
}

/** Kills those of `processes`, all of one container, that are in `session`. */
export function killSession(session: string, processes: readonly number[], holder: Holder): void {
  for (const pid of processes) {
    using held = holder.openPidfd(pid);
    // Looked at while it is held: the process of this number is still the one that is killed.
    if (held && findSession(pid) === session) held.kill(SIGKILL);
  }
}

/** Kills what an engine before this one began for itself alone in container `id`, health checks for one. */
export function killLeftovers(
  id: string,
  { layout, processes, holder }: { layout: RunLayout; processes: readonly number[]; holder: Holder },
): void {
  for (const execId of namesIn(layout.execs(id))) {
    const directory = layout.exec(id, execId);
    if (!existsSync(join(directory, MARK))) continue;
    const pid = Number(textOf(join(directory, "pid")));
    const session = isExec(pid, execId) ? findSession(pid) : undefined;
    if (session !== undefined) killSession(session, processes, holder);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The process is a child of the conmon that was started for this exec, not another with an old number. */
function isExec(pid: number, execId: string): boolean {
  const parent = pid > 0 ? statField(pid, 1) : undefined;
  return parent !== undefined && textOf(`/proc/${parent}/cmdline`).split("\0").includes(execId);
}

/** A field of `/proc/<pid>/stat`, counted from the state, the first after the name. */
function statField(pid: number, index: number): string | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  // The name in brackets may hold anything.
  return stat === "" ? undefined : stat.slice(stat.lastIndexOf(")") + 2).split(" ")[index];
}

function textOf(path: string): string {
  return unlessGone(() => readFileSync(path, "utf8")) ?? "";
}

function namesIn(folder: string): string[] {
  return unlessGone(() => readdirSync(folder)) ?? [];
}

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}
