import type { HealthConfig } from "#api/containers.ts";
import { EngineError } from "#base/errors.ts";

export interface HealthFlags {
  readonly healthCmd: string | undefined;
  /** Nanoseconds, as the other times. */
  readonly healthInterval: number | undefined;
  readonly healthTimeout: number | undefined;
  readonly healthStartPeriod: number | undefined;
  readonly healthStartInterval: number | undefined;
  readonly healthRetries: number | undefined;
  readonly noHealthcheck: boolean;
}

/** `Healthcheck` of a create request, `undefined` when no flag speaks of it. @throws {EngineError} invalid */
export function parseHealth(flags: HealthFlags): HealthConfig | undefined {
  const { healthCmd, healthInterval, healthTimeout, healthStartPeriod, healthStartInterval, healthRetries } =
    flags;
  const numbers = [healthInterval, healthTimeout, healthStartPeriod, healthStartInterval, healthRetries];
  const isGiven = healthCmd !== undefined || numbers.some((value) => value !== undefined);
  if (flags.noHealthcheck) {
    if (isGiven) throw new EngineError("invalid", "--no-healthcheck conflicts with --health-* options");
    return { Test: ["NONE"] };
  }
  if (!isGiven) return undefined;
  if (numbers.some((value) => value !== undefined && value < 0)) {
    throw new EngineError("invalid", "--health-* times and --health-retries cannot be negative");
  }
  return {
    Test: healthCmd === undefined ? undefined : ["CMD-SHELL", healthCmd],
    Interval: healthInterval,
    Timeout: healthTimeout,
    StartPeriod: healthStartPeriod,
    StartInterval: healthStartInterval,
    Retries: healthRetries,
  };
}
