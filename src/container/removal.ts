import { rm } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { EngineError, errorMessage } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import { containerEvent } from "./events.ts";
import { containerPaths } from "./folders.ts";
import { unmountRoot } from "./mounting.ts";
import type { ContainerRecord } from "./record.ts";
import { died, exitCodeOf, removing } from "./state.ts";
import type { World } from "./world.ts";

export interface RemovalOptions {
  /** Anonymous volumes go too. */
  readonly removesVolumes: boolean;
  /**
   * The container is gone as soon as its record is: whoever waits is answered, and what lies on the disk goes after
   * that. Otherwise the record goes last, and a container that can not be deleted whole is left `dead`.
   */
  readonly answersFirst: boolean;
}

/** Deletes a container that does not run; the caller holds its lock and keeps it until this resolves. */
export async function finishRemoval(
  world: World,
  record: ContainerRecord,
  { removesVolumes, answersFirst }: RemovalOptions,
): Promise<void> {
  const { registry } = world;
  const { id } = record;
  const exitCode = exitCodeOf(record.state);
  registry.update(id, ({ state }) => ({ state: removing(state) }));
  if (answersFirst) {
    // A published port must be free before the next container asks for it, and networks are left before the end is told.
    await world.network.detach(id);
    forget(world, record, exitCode);
    // Most of what follows blocks: the answers go out before it.
    await nextTurn();
    await deleteRemains(world, record, removesVolumes);
    return;
  }
  try {
    await deleteRemains(world, record, removesVolumes);
  } catch (error) {
    const message = `Cannot remove container ${id}: ${errorMessage(error)}`;
    registry.update(id, ({ state }) => ({ state: died(state, message) }));
    throw new EngineError("internal", message, { cause: error });
  }
  forget(world, record, exitCode);
}

/** Whatever of a container lies outside its record. Idempotent. */
export async function deleteRemains(
  world: World,
  record: ContainerRecord,
  removesVolumes: boolean,
): Promise<void> {
  const { id } = record;
  world.roots.revoke(id);
  unmountRoot(world, id);
  await Promise.all([world.runtime.delete(id), world.network.detach(id)]);
  await world.snapshots.removeActive(id);
  await rm(containerPaths(world.folders, id).state, { recursive: true, force: true });
  if (removesVolumes) await removeAnonymousVolumes(world, record);
}

/** Those that no other container mounts. */
async function removeAnonymousVolumes(world: World, { id, mounts }: ContainerRecord): Promise<void> {
  for (const { name, isAnonymous } of mounts) {
    if (!isAnonymous || name === undefined || isVolumeUsed(world, name, id)) continue;
    await world.volumes.remove(name);
    world.emit({ type: "volume", action: "destroy", id: name, attributes: { driver: "local" } });
  }
}

/** By a container other than `except`. */
export function isVolumeUsed({ registry }: World, name: string, except: ContainerId): boolean {
  return registry.usersOfVolume(name).some((id) => id !== except);
}

function forget(world: World, record: ContainerRecord, exitCode: number): void {
  const { id } = record;
  const live = world.lives.get(id);
  live.cancelRestart();
  world.registry.remove(id);
  live.wasRemoved({ exitCode });
  world.lives.forget(id);
  world.emit(containerEvent(record, "destroy"));
}
