import { EngineError } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import { containerEvent } from "./events.ts";
import { unwatched } from "./health/health.ts";
import { paused, unpaused } from "./state.ts";
import type { World } from "./world.ts";

/** Freezes every process of the container; its health is not checked meanwhile. @throws {EngineError} conflict unless it runs */
export async function pauseContainer(world: World, id: ContainerId): Promise<void> {
  const { registry, runtime, health, lock } = world;
  await lock.run(id, async () => {
    const { state } = registry.get(id);
    if (state.status === "paused") throw new EngineError("conflict", `container ${id} is already paused`);
    if (state.status === "restarting") {
      throw new EngineError("conflict", `container ${id} is restarting, wait until the container is running`);
    }
    if (state.status !== "running") throw new EngineError("conflict", `container ${id} is not running`);
    await runtime.pause(id);
    health.unwatch(id);
    const record = registry.update(id, (now) => ({
      state: paused(now.state),
      ...(now.health && { health: unwatched(now.health) }),
    }));
    world.emit(containerEvent(record, "pause"));
  });
}

/** @throws {EngineError} internal, as Docker has it, when it is not paused */
export async function unpauseContainer(world: World, id: ContainerId): Promise<void> {
  const { registry, runtime, lock } = world;
  await lock.run(id, async () => {
    if (registry.get(id).state.status !== "paused") {
      throw new EngineError("internal", `Container ${id} is not paused`);
    }
    await runtime.resume(id);
    world.emit(containerEvent(thawed(world, id), "unpause"));
  });
}

/** The record of a container whose processes go on, and its health checks with them. The caller holds the lock. */
export function thawed({ registry, health, clock }: World, id: ContainerId): ReturnType<typeof registry.get> {
  const record = registry.update(id, (now) => ({ state: unpaused(now.state) }));
  health.watch(id, clock());
  return record;
}
