import type { ContainerConfig } from "../container-config.ts";
import { begun, type Health } from "./health.ts";

/** What is run to see whether a container is well, and when. */
export interface HealthPlan {
  readonly command: readonly string[];
  /** From the end of one check, or the start, to the next. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** For so long after the start, failures do not count while no check has succeeded. */
  readonly startPeriodMs: number;
  /** The interval during that time. */
  readonly startIntervalMs: number;
  /** So many failures in a row make a container unhealthy. */
  readonly retries: number;
}

const DEFAULT_INTERVAL_MS = 30_000;
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_START_INTERVAL_MS = 5_000;
const DEFAULT_RETRIES = 3;
const DEFAULT_SHELL = ["/bin/sh", "-c"];

/**
 * The checks that a configuration asks for; `undefined` for none: nothing said, `NONE`, or a form that nobody knows.
 * Zero is the default (Docker's daemon/health.go).
 */
export function healthPlan({
  healthcheck,
  shell,
}: Pick<ContainerConfig, "healthcheck" | "shell">): HealthPlan | undefined {
  const command = probeCommand(healthcheck?.test ?? [], shell);
  if (command.length === 0) return undefined;
  return {
    command,
    intervalMs: milliseconds(healthcheck?.intervalNs) || DEFAULT_INTERVAL_MS,
    timeoutMs: milliseconds(healthcheck?.timeoutNs) || DEFAULT_TIMEOUT_MS,
    startPeriodMs: milliseconds(healthcheck?.startPeriodNs),
    startIntervalMs: milliseconds(healthcheck?.startIntervalNs) || DEFAULT_START_INTERVAL_MS,
    retries: healthcheck?.retries || DEFAULT_RETRIES,
  };
}

/** The health of a container that has just been started, for its record. */
export function healthAtStart(record: {
  readonly config: ContainerConfig;
  readonly health?: Health | undefined;
}): { readonly health: Health | undefined } {
  return { health: healthPlan(record.config) && begun(record.health) };
}

function probeCommand([form, ...words]: readonly string[], shell: readonly string[] | undefined): string[] {
  if (form === "CMD") return words;
  if (form === "CMD-SHELL") return [...(shell?.length ? shell : DEFAULT_SHELL), ...words];
  return [];
}

function milliseconds(ns: number | undefined): number {
  return (ns ?? 0) / 1e6;
}
