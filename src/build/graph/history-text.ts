import type { HealthcheckConfig } from "#oci/image-config.ts";
import { formatDuration } from "../dockerfile/duration.ts";

/** What BuildKit writes beside every history entry. */
export const HISTORY_COMMENT = "buildkit.dockerfile.v0";

/** As Go prints a list of strings with `%q`: `["a" "b"]`. */
export function quotedList(list: readonly string[]): string {
  return `[${list.map((text) => JSON.stringify(text)).join(" ")}]`;
}

/** `RUN |2 A=1 B= /bin/sh -c … # buildkit`; the arguments in scope come first. */
export function runText(args: readonly string[], buildArgs: ReadonlyMap<string, string>): string {
  const prefix =
    buildArgs.size === 0
      ? []
      : [`|${buildArgs.size}`, ...[...buildArgs].map(([name, value]) => `${name}=${value}`)];
  return ["RUN", ...prefix, ...args, "# buildkit"].join(" ");
}

/** As Go prints Docker's HealthConfig with `%q`. */
export function healthcheckText(health: HealthcheckConfig): string {
  const times = [health.intervalNs, health.timeoutNs, health.startPeriodNs, health.startIntervalNs].map(
    (ns) => JSON.stringify(formatDuration(ns ?? 0)),
  );
  const retries = `'\\x${(health.retries ?? 0).toString(16).padStart(2, "0")}'`;
  return `HEALTHCHECK &{${[quotedList(health.test ?? []), ...times, retries].join(" ")}}`;
}
