import { setImmediate as nextTurn } from "node:timers/promises";
import type { ContainerId } from "#base/ids.ts";
import { containerEvent } from "./events.ts";
import { unwatched } from "./health/health.ts";
import { containerPaths } from "./folders.ts";
import { launch } from "./launch.ts";
import { parseLogConfig } from "./logs/log-options.ts";
import { unmountRoot } from "./mounting.ts";
import type { ContainerExit } from "./neighbours.ts";
import { NO_NETWORK } from "./network-state.ts";
import type { ContainerRecord } from "./record.ts";
import { finishRemoval } from "./removal.ts";
import { nextDelayMs, shouldRestart } from "./restart-policy.ts";
import { ended, isAlive, restartCancelled } from "./state.ts";
import type { World } from "./world.ts";

/** Starts the container and looks after its end. The caller holds the lock. */
export async function launchAndWatch(world: World, id: ContainerId): Promise<ContainerRecord> {
  const record = await launch(world, id);
  watchExit(world, id);
  world.health.watch(id, world.clock());
  return record;
}

/** Handles the end of a running container whenever it comes. */
export function watchExit(world: World, id: ContainerId): void {
  keepLog(world, id);
  world.background.watch("handling the exit of a container", async () => {
    const exit = await world.runtime.exited(id);
    await world.logs.release(id);
    world.background.run("handling the exit of a container", () => handleExit(world, id, exit));
  });
}

/** Its log stays within its limits while it runs. */
function keepLog({ registry, logs, folders }: World, id: ContainerId): void {
  const record = registry.byId(id);
  const limits = record && parseLogConfig(record.hostConfig.logConfig);
  if (limits) logs.watch(id, containerPaths(folders, id).log, limits);
}

/**
 * A container's process has ended: its state is saved, those who wait are answered, and only then is cleaned up. With
 * AutoRemove it is removed; with a restart policy it is started again after a delay.
 */
export async function handleExit(world: World, id: ContainerId, exit: ContainerExit): Promise<void> {
  using _turn = await world.lock.acquire(id);
  const { registry, lives } = world;
  const before = registry.byId(id);
  if (before === undefined || !isAlive(before.state)) return;
  const { startedAt } = before.state;
  const live = lives.get(id);
  const willRestart =
    !live.isBeingRemoved &&
    shouldRestart(before.hostConfig.restartPolicy, { ...before, exitCode: exit.exitCode });
  world.health.unwatch(id);
  const record = registry.update(id, ({ state, health }) => ({
    state: ended(state, exit, willRestart),
    ...(health && { health: unwatched(health) }),
  }));
  if (!willRestart) live.hasExited({ exitCode: exit.exitCode });
  if (exit.oomKilled) world.emit(containerEvent(record, "oom"));
  const execDuration = String(Math.max(0, Math.floor((exit.finishedAt - startedAt) / 1000)));
  world.emit(containerEvent(record, "die", { exitCode: String(exit.exitCode), execDuration }));
  if (record.hostConfig.autoRemove && !willRestart && !live.isBeingRemoved) {
    await finishRemoval(world, record, { removesVolumes: true, answersFirst: true });
    return;
  }
  // Most of what follows blocks: those who wait are answered before it.
  await nextTurn();
  await cleanUp(world, id);
  if (willRestart) scheduleRestart(world, record, exit.finishedAt - startedAt);
}

/** Takes away what a run needed: root, process remains, network. Idempotent; the caller holds the lock. */
export async function cleanUp(world: World, id: ContainerId): Promise<void> {
  unmountRoot(world, id);
  const ends = await Promise.allSettled([world.runtime.delete(id), world.network.detach(id)]);
  for (const end of ends) {
    if (end.status === "rejected")
      world.log.error("clean-up after a container failed", { id, error: end.reason });
  }
  if (world.registry.byId(id)) world.registry.update(id, () => ({ network: NO_NETWORK }));
}

/** After the policy's delay; `ranForMs` resets the delay when it was long. */
function scheduleRestart(world: World, { id }: ContainerRecord, ranForMs: number): void {
  const live = world.lives.get(id);
  const delayMs = nextDelayMs(live.restartDelayMs, ranForMs);
  live.scheduleRestart(delayMs, () => {
    world.background.run("restarting a container", () => restartByPolicy(world, id, "restarting"));
  });
}

/**
 * Starts a container again, unless somebody has done something else with it since it was in the state `from`. One that
 * had exited is started as if by hand: it is no longer stopped, and its restarts are counted anew. A restart that fails
 * counts as a run that ended at once.
 */
export async function restartByPolicy(
  world: World,
  id: ContainerId,
  from: "restarting" | "exited",
): Promise<void> {
  using _turn = await world.lock.acquire(id);
  const { registry, lives, clock } = world;
  const record = registry.byId(id);
  if (record?.state.status !== from) return;
  const restartCount = from === "restarting" ? record.restartCount + 1 : 0;
  registry.update(id, () => ({ restartCount, ...(from === "exited" && { wasStoppedByHand: false }) }));
  try {
    await launchAndWatch(world, id);
  } catch (error) {
    world.log.warn("restart of a container failed", { id, error });
    const exitCode = 128;
    const again = shouldRestart(record.hostConfig.restartPolicy, {
      exitCode,
      restartCount,
      wasStoppedByHand: false,
    });
    if (!again) {
      lives.get(id).hasExited({ exitCode });
      return;
    }
    const now = clock();
    const failed = registry.update(id, () => ({
      state: { status: "restarting", exitCode, oomKilled: false, startedAt: now, finishedAt: now },
    }));
    scheduleRestart(world, failed, 0);
  }
}

/** A restart that waits for its delay is called off: the container has exited. The caller holds the lock. */
export function cancelPendingRestart(world: World, id: ContainerId): void {
  const record = world.registry.byId(id);
  world.lives.get(id).cancelRestart();
  if (record?.state.status !== "restarting") return;
  const { exitCode } = record.state;
  world.registry.update(id, ({ state }) => ({ state: restartCancelled(state), wasStoppedByHand: true }));
  world.lives.get(id).hasExited({ exitCode });
}
