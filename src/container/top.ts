import { EngineError } from "#base/errors.ts";
import { containerEvent } from "./events.ts";
import { isAlive } from "./state.ts";
import type { ProcessTable } from "./usage.ts";
import type { World } from "./world.ts";

/**
 * The container's processes as this host's `ps` shows them; nothing of the container is run for it.
 *
 * @throws {EngineError} not-found, conflict unless it runs, invalid for options of `ps` that are refused
 */
export async function topContainer(
  world: World,
  reference: string,
  { psOptions, signal }: { psOptions: string; signal: AbortSignal },
): Promise<ProcessTable> {
  const record = world.registry.get(reference);
  const { id, state } = record;
  if (state.status === "restarting") {
    throw new EngineError("conflict", `Container ${id} is restarting, wait until the container is running`);
  }
  if (!isAlive(state)) throw new EngineError("conflict", `container ${id} is not running`);
  const table = await world.listProcesses(psOptions, world.runtime.processes(id), signal);
  world.emit(containerEvent(record, "top"));
  return table;
}
