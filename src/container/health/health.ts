import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { HealthPlan } from "./health-plan.ts";

export type HealthStatus = "starting" | "healthy" | "unhealthy";

/** One check. Times are epoch milliseconds; exit code -1 is a check that came to no end of its own. */
export interface ProbeResult {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly exitCode: number;
  readonly output: string;
}

/** What the checks of a container have come to. */
export interface Health {
  readonly status: HealthStatus;
  readonly failingStreak: number;
  /** The last ones, oldest first; those of earlier runs are among them. */
  readonly log: readonly ProbeResult[];
}

const MAX_LOG_ENTRIES = 5;

/** A run begins: nothing is known of it yet. */
export function begun(before: Health | undefined): Health {
  return { status: "starting", failingStreak: 0, log: before?.log ?? [] };
}

/** Nobody looks any more, because the container is paused or has ended: Docker calls that unhealthy. */
export function unwatched(health: Health): Health {
  return { ...health, status: "unhealthy" };
}

/** What a check makes of it; `runStartedAt` is when the container was started. */
export function probed(
  health: Health,
  result: ProbeResult,
  { plan, runStartedAt }: { plan: HealthPlan; runStartedAt: number },
): Health {
  const log = [...health.log, result].slice(-MAX_LOG_ENTRIES);
  if (result.exitCode === 0) return { status: "healthy", failingStreak: 0, log };
  const isForgiven = health.status === "starting" && result.startedAt - runStartedAt < plan.startPeriodMs;
  if (isForgiven) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= plan.retries ? "unhealthy" : health.status, failingStreak, log };
}

/** When the next check is due, counted from `from`: the end of the last one, or the start. Epoch milliseconds. */
export function nextCheckAt(
  { status }: Health,
  { plan, runStartedAt, from }: { plan: HealthPlan; runStartedAt: number; from: number },
): number {
  const isStarting = status === "starting" && from - runStartedAt < plan.startPeriodMs;
  return from + (isStarting ? plan.startIntervalMs : plan.intervalMs);
}

export function encodeHealth(health: Health): unknown {
  return health;
}

/** @throws {EngineError} invalid */
export function decodeHealth(fields: Fields): Health {
  const status = fields.string("status");
  if (status !== "starting" && status !== "healthy" && status !== "unhealthy") {
    throw new EngineError("invalid", `Cannot read health: status "${String(status)}" is not known`);
  }
  return {
    status,
    failingStreak: fields.integer("failingStreak") ?? 0,
    log: fields.list("log", (value, path) => decodeResult(new Fields(value, path))) ?? [],
  };
}

function decodeResult(fields: Fields): ProbeResult {
  return {
    startedAt: fields.required("startedAt", fields.integer("startedAt")),
    endedAt: fields.required("endedAt", fields.integer("endedAt")),
    exitCode: fields.required("exitCode", fields.integer("exitCode")),
    output: fields.string("output") ?? "",
  };
}
