import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import { cleanUp, handleExit, restartByPolicy, watchExit } from "./ending.ts";
import { healthAtStart } from "./health/health-plan.ts";
import { holdVolumes } from "./mounting.ts";
import type { RuntimeContainer } from "./neighbours.ts";
import type { ContainerRecord } from "./record.ts";
import { deleteRemains } from "./removal.ts";
import { startsWithEngine } from "./restart-policy.ts";
import { exitCodeOf, isAlive, started } from "./state.ts";
import type { World } from "./world.ts";

/** What the rooms below must know before anything is cleaned up or started. */
export interface Liveness {
  /** Containers whose processes run. */
  readonly live: ReadonlySet<ContainerId>;
  /** Every container there is: the keys of their snapshots. */
  readonly known: ReadonlySet<ContainerId>;
}

/** The exit code of a process that ended unseen, as after a loss of power. */
const UNSEEN_EXIT_CODE = 255;

/**
 * Compares the records with the world, once at start: containers that run go on, those that ended while the engine was
 * away get their exit code, half-removed ones are removed, what has no record is deleted, and restart policies apply.
 *
 * @param reconcile called when it is known what runs, for the rooms whose own recovery needs it
 */
export async function recoverContainers(
  world: World,
  reconcile: (liveness: Liveness) => Promise<void>,
): Promise<void> {
  const { registry, runtime } = world;
  const found = new Map((await runtime.recover()).map((one) => [one.id, one]));
  const records = registry.list();
  const live = new Set(records.filter(({ id }) => found.get(id)?.state === "running").map(({ id }) => id));
  await reconcile({ live, known: new Set(records.map(({ id }) => id)) });
  for (const id of found.keys()) {
    if (!records.some((record) => record.id === id)) await runtime.delete(id as ContainerId);
  }
  await removeUnknownFolders(world, new Set(records.map(({ id }) => id)));
  for (const record of records) {
    try {
      await recoverOne(world, record, found.get(record.id));
    } catch (error) {
      world.log.error("recovery of a container failed", { id: record.id, error });
    }
  }
  for (const record of registry.list()) await startByPolicy(world, record);
}

async function recoverOne(
  world: World,
  record: ContainerRecord,
  found: RuntimeContainer | undefined,
): Promise<void> {
  const { id, state } = record;
  if (state.status === "removing") {
    await deleteRemains(world, record, record.hostConfig.autoRemove);
    world.registry.remove(id);
    return;
  }
  if (found?.state === "running") {
    // The record may lag behind by the last step of a start.
    if (!isAlive(state)) {
      world.registry.update(id, (now) => ({
        state: started(now.state, found.pid, world.clock()),
        ...healthAtStart(now),
      }));
    }
    await holdVolumes(world, record);
    watchExit(world, id);
    watchHealth(world, id);
    return;
  }
  if (isAlive(state)) {
    const unseen = { exitCode: UNSEEN_EXIT_CODE, oomKilled: false, finishedAt: world.clock() };
    await handleExit(world, id, found?.exit ?? unseen);
    return;
  }
  await cleanUp(world, id);
}

/** Goes on where the engine before this one ended: the interval runs from the last check. */
function watchHealth({ registry, health }: World, id: ContainerId): void {
  const record = registry.byId(id);
  if (record?.state.status !== "running") return;
  const { startedAt } = record.state;
  health.watch(id, Math.max(startedAt, record.health?.log.at(-1)?.endedAt ?? 0));
}

/** Containers that do not run and are to run with the engine; those that wait for a restart had theirs cut short. */
async function startByPolicy(world: World, { id }: ContainerRecord): Promise<void> {
  const record = world.registry.byId(id);
  if (record === undefined) return;
  const { state, hostConfig } = record;
  if (state.status !== "restarting" && state.status !== "exited") return;
  const facts = { ...record, exitCode: exitCodeOf(state) };
  if (state.status === "restarting" || startsWithEngine(hostConfig.restartPolicy, facts)) {
    world.lives.get(id).cancelRestart();
    const { status } = state;
    world.background.run("starting a container with the engine", () => restartByPolicy(world, id, status));
  }
}

async function removeUnknownFolders({ folders }: World, known: ReadonlySet<string>): Promise<void> {
  for (const name of await namesIn(folders.state)) {
    if (!known.has(name)) await rm(join(folders.state, name), { recursive: true, force: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
