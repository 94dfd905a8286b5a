import { setTimeout as sleep } from "node:timers/promises";
import type { BundleRecord } from "./bundle-record.ts";
import type { ContainerPlace } from "./container-place.ts";
import { removeRemains } from "./remove-bundle.ts";

/** A conmon, as a child of ours or by pidfd. */
export interface Keeper {
  kill(signal: number): unknown;
  readonly ended: Promise<unknown>;
}

const SIGTERM = 15;
const SIGKILL = 9;
const TRIES = 50;
const PAUSE_MS = 100;

/**
 * Ends and removes a container in whatever stage of its making. conmon hands SIGTERM on to the runtime that is making
 * the container, or to its init, which need not heed it; once there is a container, deleting it ends conmon.
 */
export async function abandonContainer(
  place: ContainerPlace,
  record: BundleRecord,
  keeper: Keeper | undefined,
): Promise<void> {
  const runtime = place.runtime(record.runtime);
  const ended = keeper?.ended.then(() => true) ?? Promise.resolve(true);
  keeper?.kill(SIGTERM);
  let hasEnded = false;
  for (let tries = 0; tries < TRIES && !hasEnded; tries++) {
    await runtime.deleteForce(place.id);
    hasEnded = await Promise.race([ended, sleep(PAUSE_MS, false)]);
  }
  if (!hasEnded) keeper?.kill(SIGKILL);
  await runtime.deleteForce(place.id);
  await removeRemains(place, record);
}
