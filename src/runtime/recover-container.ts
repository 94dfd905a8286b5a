import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isErrno } from "#base/errors.ts";
import type { Pidfd } from "#linux/kernel.ts";
import { type BundleRecord, findRecord, findStartTime } from "./bundle-record.ts";
import { type ContainerExit, findExitFile } from "./container-exit.ts";
import type { ContainerPlace } from "./container-place.ts";
import { KeptContainer } from "./kept-container.ts";
import { removeRemains } from "./remove-bundle.ts";

export interface RecoveredContainer {
  readonly id: string;
  /** 0 when it has exited. */
  readonly pid: number;
  readonly state: "created" | "running" | "exited";
  /** Present when it has exited. */
  readonly exit?: ContainerExit;
}

const SIGTERM = 15;
const SIGKILL = 9;
const ABANDON_TRIES = 20;
const ABANDON_PAUSE_MS = 100;

/**
 * Takes over the container at `place` from an engine that died: the pids of its record count only if they still name
 * the same processes. A container that was never finished is removed, and `undefined` returned.
 */
export async function recoverContainer(
  place: ContainerPlace,
): Promise<{ container: KeptContainer; recovered: RecoveredContainer } | undefined> {
  const { id, layout } = place;
  const record = findRecord(layout.bundle(id));
  const conmon = record && openConmon(place, record);
  if (!record?.init) {
    if (record) await abandon(place, record, conmon);
    await removeRemains(place, record);
    return undefined;
  }
  const init = openInit(place, record.init);
  const keeperEnded = conmon ? conmon.exited().finally(() => conmon[Symbol.dispose]()) : Promise.resolve();
  const container = new KeptContainer(place, record, { keeperEnded, init });
  const hasEnded = findExitFile(layout.exit(id)) !== undefined || (!conmon && !init);
  if (hasEnded) {
    return { container, recovered: { id, pid: 0, state: "exited", exit: await container.exited } };
  }
  const state = container.runtime.isCreated(id) ? "created" : "running";
  return { container, recovered: { id, pid: record.init.pid, state } };
}

/**
 * Ends what may be in any stage of its making: conmon hands SIGTERM on to the runtime that is making the container, or
 * to its init, which need not heed it; once there is a container, deleting it ends conmon.
 */
async function abandon(
  place: ContainerPlace,
  record: BundleRecord,
  conmon: Pidfd | undefined,
): Promise<void> {
  const runtime = place.runtime(record.runtime);
  using pidfd = conmon;
  pidfd?.kill(SIGTERM);
  for (let tries = 0; tries < ABANDON_TRIES; tries++) {
    await runtime.deleteForce(place.id);
    if (!pidfd || (await Promise.race([pidfd.exited().then(() => true), sleep(ABANDON_PAUSE_MS, false)])))
      return;
  }
  pidfd?.kill(SIGKILL);
}

function openConmon({ kernel, id }: ContainerPlace, { conmonPid }: BundleRecord): Pidfd | undefined {
  const pidfd = kernel.openPidfd(conmonPid);
  if (pidfd && commandLine(conmonPid).includes(id)) return pidfd;
  pidfd?.[Symbol.dispose]();
  return undefined;
}

function openInit({ kernel }: ContainerPlace, init: { pid: number; startTime: string }): Pidfd | undefined {
  const pidfd = kernel.openPidfd(init.pid);
  if (pidfd && findStartTime(init.pid) === init.startTime) return pidfd;
  pidfd?.[Symbol.dispose]();
  return undefined;
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH")) return [];
    throw error;
  }
}
