import { EngineError } from "#base/errors.ts";
import { type ContainerId, shortId } from "#base/ids.ts";
import { finishRemoval } from "./removal.ts";
import { isAlive } from "./state.ts";
import { killForRemoval } from "./stopping.ts";
import type { World } from "./world.ts";

/**
 * Deletes a container, with `force` a running one too. A second removal while one goes on is refused.
 *
 * @throws {EngineError} conflict while it runs or is being removed
 */
export async function removeContainer(
  world: World,
  reference: string,
  options: { readonly force: boolean; readonly removesVolumes: boolean },
): Promise<void> {
  const { id, name } = world.registry.get(reference);
  const live = world.lives.get(id);
  if (live.isBeingRemoved) {
    throw new EngineError("conflict", `removal of container ${reference} is already in progress`);
  }
  live.isBeingRemoved = true;
  try {
    await endFirst(world, { id, name }, options.force);
    await world.lock.run(id, async () => {
      const record = world.registry.byId(id);
      if (record === undefined) return;
      if (isAlive(record.state)) throw stillRuns(name, id, "running");
      await finishRemoval(world, record, { removesVolumes: options.removesVolumes, answersFirst: false });
    });
  } finally {
    live.isBeingRemoved = false;
  }
}

async function endFirst(
  world: World,
  { id, name }: { readonly id: ContainerId; readonly name: string },
  force: boolean,
): Promise<void> {
  const { state } = world.registry.get(id);
  if (!isAlive(state) && state.status !== "restarting") return;
  if (!force) throw stillRuns(name, id, state.status);
  await killForRemoval(world, id);
}

function stillRuns(name: string, id: ContainerId, status: string): EngineError {
  const reason =
    status === "paused"
      ? "container is paused and must be unpaused first"
      : `container is ${status}: stop the container before removing or force remove`;
  return new EngineError("conflict", `cannot remove container "${name}": ${reason}`, {
    hint: `darse rm -f ${shortId(id)}`,
  });
}
