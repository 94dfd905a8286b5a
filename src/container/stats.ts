import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import type { ContainerRecord } from "./record.ts";
import { cgroupPathOf } from "./spec-plan.ts";
import { isAlive } from "./state.ts";
import type { CgroupCounters, HostUsage, LinkCounters } from "./usage.ts";
import type { World } from "./world.ts";

/** All that is counted at one moment. */
export interface UsageSample {
  /** Epoch milliseconds. */
  readonly readAt: number;
  readonly cgroup: CgroupCounters;
  readonly host: HostUsage;
  readonly links: ReadonlyMap<string, LinkCounters>;
}

/** What a container uses; without a sample it does not run. */
export interface ContainerStats {
  readonly id: ContainerId;
  readonly name: string;
  readonly platform: string;
  readonly sample?: UsageSample;
  /** The one before, against which use of time is measured; absent for the first of a stream. */
  readonly previous?: UsageSample;
}

export interface StatsOptions {
  /** One after another, until the client or the container goes. */
  readonly streams: boolean;
  /** A single one without a previous one, at once. */
  readonly isOneShot: boolean;
}

const INTERVAL_MS = 1000;

/**
 * What a container uses, once or once a second. A stream of one that does not run goes on, without samples, and ends
 * when it is removed. Docker's daemon/stats.go. @throws {EngineError} not-found, invalid
 */
export function readStats(
  world: World,
  reference: string,
  { options, signal }: { options: StatsOptions; signal: AbortSignal },
): AsyncIterable<ContainerStats> {
  if (options.streams && options.isOneShot) {
    throw new EngineError("invalid", "cannot have stream=true and one-shot=true");
  }
  const { id } = world.registry.get(reference);
  return options.streams ? streamStats(world, id, signal) : readOnce(world, id, { options, signal });
}

async function* streamStats(
  world: World,
  id: ContainerId,
  signal: AbortSignal,
): AsyncGenerator<ContainerStats, void> {
  let previous: UsageSample | undefined;
  for (;;) {
    const record = world.registry.byId(id);
    if (record === undefined) return;
    const stats = statsOf(world, record, previous);
    yield stats;
    previous = stats.sample;
    if (!(await pause(signal))) return;
  }
}

async function* readOnce(
  world: World,
  id: ContainerId,
  { options, signal }: { options: StatsOptions; signal: AbortSignal },
): AsyncGenerator<ContainerStats, void> {
  const first = statsOf(world, world.registry.get(id), undefined);
  if (options.isOneShot || first.sample === undefined) {
    yield first;
    return;
  }
  if (!(await pause(signal))) return;
  const record = world.registry.byId(id);
  if (record) yield statsOf(world, record, first.sample);
}

function statsOf(world: World, record: ContainerRecord, previous: UsageSample | undefined): ContainerStats {
  const { id, name, platform } = record;
  if (!isAlive(record.state)) return { id, name, platform };
  const sample = takeSample(world, record, record.state.pid);
  return { id, name, platform, sample, ...(previous && { previous }) };
}

function takeSample({ meter, clock }: World, record: ContainerRecord, pid: number): UsageSample {
  const hasOwnLinks = record.hostConfig.networkMode !== "host";
  return {
    readAt: clock(),
    cgroup: meter.cgroup(cgroupPathOf(record)),
    host: meter.host(),
    links: hasOwnLinks ? meter.links(pid) : new Map<string, LinkCounters>(),
  };
}

/** False when the client has gone. */
async function pause(signal: AbortSignal): Promise<boolean> {
  await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}
