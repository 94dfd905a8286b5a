/** Restart policies and their delays. Behaviour of Docker's internal/restartmanager. */

export interface RestartPolicy {
  readonly name: string | undefined;
  readonly maximumRetryCount: number | undefined;
}

export interface RestartFacts {
  readonly exitCode: number;
  /** Automatic restarts since somebody last started the container. */
  readonly restartCount: number;
  /** Somebody stopped it: no policy restarts it now. */
  readonly wasStoppedByHand: boolean;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
/** A run at least this long starts the delays anew. */
const STEADY_RUN_MS = 10_000;

/** Whether a process that has ended is started again. */
export function shouldRestart(policy: RestartPolicy, facts: RestartFacts): boolean {
  if (facts.wasStoppedByHand) return false;
  switch (policy.name) {
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return (
        facts.exitCode !== 0 &&
        (policy.maximumRetryCount === undefined || facts.restartCount < policy.maximumRetryCount)
      );
    default:
      return false;
  }
}

/** Whether a container that does not run is started with the engine. */
export function startsWithEngine(policy: RestartPolicy, facts: RestartFacts): boolean {
  if (policy.name === "always") return true;
  return shouldRestart(policy, facts);
}

/** The wait before the next restart: doubles from 100 ms up to a minute. */
export function nextDelayMs(previousMs: number | undefined, ranForMs: number): number {
  if (previousMs === undefined || ranForMs >= STEADY_RUN_MS) return FIRST_DELAY_MS;
  return Math.min(previousMs * 2, LONGEST_DELAY_MS);
}
