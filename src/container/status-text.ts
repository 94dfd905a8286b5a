import type { Health } from "./health/health.ts";
import type { State } from "./state.ts";

/** `Up 3 seconds`, `Exited (0) 2 minutes ago`: the text of lists. Docker's daemon/container/state.go. */
export function statusText(state: State, now: number, health?: Health): string {
  switch (state.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${humanDuration(now - state.startedAt)}${health ? ` (${healthText(health)})` : ""}`;
    case "paused":
      return `Up ${humanDuration(now - state.startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${humanDuration(now - state.finishedAt)} ago`;
    case "exited":
      return `Exited (${state.exitCode}) ${humanDuration(now - state.finishedAt)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
  }
}

function healthText({ status }: Health): string {
  return status === "starting" ? "health: starting" : status;
}

/** A duration as people say it. Behaviour of docker/go-units `HumanDuration`. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(seconds / 3600);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}
