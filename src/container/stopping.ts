import { EngineError } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import { parseSignal } from "#runtime/signals.ts";
import { cancelPendingRestart } from "./ending.ts";
import { containerEvent } from "./events.ts";
import { thawed } from "./pausing.ts";
import type { ContainerRecord } from "./record.ts";
import { isAlive } from "./state.ts";
import type { World } from "./world.ts";

export interface StopOptions {
  /** By name or number; the container's own when absent. */
  readonly signal?: string;
  /** -1 waits for ever; the container's own when absent. */
  readonly timeoutSeconds?: number;
}

const SIGKILL = 9;
const DEFAULT_TIMEOUT_SECONDS = 10;
/** How long the end of a process that was killed may take. */
const KILL_DEADLINE_MS = 10_000;
/** How long is waited when the stop signal could not be sent. */
const UNSENT_WAIT_MS = 2_000;

/** Ends the process, first politely. The client's going away changes nothing (Docker's daemon/stop.go). */
export async function stopContainer(
  world: World,
  id: ContainerId,
  options: StopOptions,
): Promise<"stopped" | "already-stopped"> {
  const record = world.registry.get(id);
  const { stopSignal, stopTimeout } = record.config;
  const signal = parseSignal(options.signal ?? stopSignal ?? "SIGTERM");
  const seconds = options.timeoutSeconds ?? stopTimeout ?? DEFAULT_TIMEOUT_SECONDS;
  const exit = await beginStop(world, id, signal);
  if (exit === undefined) return "already-stopped";
  const isOver = await within(exit.over, exit.wasSent ? seconds * 1000 : UNSENT_WAIT_MS);
  if (!isOver) await killNow(world, id, exit.over);
  world.emit(containerEvent(record, "stop"));
  return "stopped";
}

/** Kills the process and waits for its end, without a restart afterwards. */
export async function killForRemoval(world: World, id: ContainerId): Promise<void> {
  const exit = await beginStop(world, id, SIGKILL);
  if (exit !== undefined && !(await within(exit.over, KILL_DEADLINE_MS))) throw stillAlive(id);
}

/**
 * Sends a signal. One that is meant to end the container also disarms its restart policy and wakes it from a pause.
 *
 * @throws {EngineError} conflict when it does not run; invalid for an unknown signal
 */
export async function killContainer(world: World, reference: string, signalText: string): Promise<void> {
  const { id, config } = world.registry.get(reference);
  const signal = parseSignal(signalText);
  const isFinal =
    signal === SIGKILL || config.stopSignal === undefined || signal === parseSignal(config.stopSignal);
  const over = await world.lock.run(id, async () => {
    const record = world.registry.get(id);
    if (record.state.status === "restarting" && isFinal) {
      cancelPendingRestart(world, id);
      return undefined;
    }
    if (!isAlive(record.state)) {
      throw new EngineError(
        "conflict",
        `cannot kill container: ${reference}: container ${id} is not running`,
      );
    }
    if (isFinal) world.registry.update(id, () => ({ wasStoppedByHand: true }));
    const exit = world.lives.get(id).nextExit(NEVER);
    await send(world, record, signal, isFinal);
    return { exit };
  });
  if (signal === SIGKILL && over) await within(over.exit, KILL_DEADLINE_MS);
}

/** The end to wait for, or `undefined` when nothing runs. */
async function beginStop(
  world: World,
  id: ContainerId,
  signal: number,
): Promise<{ readonly over: Promise<unknown>; readonly wasSent: boolean } | undefined> {
  return await world.lock.run(id, async () => {
    const record = world.registry.get(id);
    if (record.state.status === "restarting") {
      cancelPendingRestart(world, id);
      return { over: Promise.resolve(), wasSent: true };
    }
    if (!isAlive(record.state)) return undefined;
    world.registry.update(id, () => ({ wasStoppedByHand: true }));
    const over = world.lives.get(id).nextExit(NEVER);
    return { over, wasSent: await send(world, record, signal, true) };
  });
}

/** False when the signal could not be sent; a process that has just ended counts as told. */
async function send(world: World, record: ContainerRecord, signal: number, wakes: boolean): Promise<boolean> {
  const { id, state } = record;
  try {
    await world.runtime.kill(id, signal);
    if (wakes && state.status === "paused") {
      await world.runtime.resume(id);
      thawed(world, id);
    }
  } catch (error) {
    world.log.warn("sending a signal failed", { id, signal, error });
    return false;
  }
  world.emit(containerEvent(record, "kill", { signal: String(signal) }));
  return true;
}

async function killNow(world: World, id: ContainerId, over: Promise<unknown>): Promise<void> {
  await world.lock.run(id, async () => {
    const record = world.registry.byId(id);
    if (record && isAlive(record.state)) await send(world, record, SIGKILL, true);
  });
  if (!(await within(over, KILL_DEADLINE_MS))) throw stillAlive(id);
}

/** True when `promise` settled in time; a negative time is no limit. */
async function within(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  if (timeoutMs < 0) {
    await promise;
    return true;
  }
  const { promise: timedOut, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  try {
    return await Promise.race([promise.then(() => true), timedOut]);
  } finally {
    clearTimeout(timer);
  }
}

function stillAlive(id: ContainerId): EngineError {
  return new EngineError("internal", `Cannot stop container ${id}: its process did not end after SIGKILL`);
}

const NEVER = new AbortController().signal;
