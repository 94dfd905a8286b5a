import type { ContainerId } from "#base/ids.ts";
import type { Execs } from "../execs.ts";
import type { RunningExec } from "../neighbours.ts";
import { goDuration } from "./go-duration.ts";
import type { ProbeOutcome } from "./health-monitor.ts";
import type { HealthPlan } from "./health-plan.ts";

/** What is kept of a check's output. */
const MAX_OUTPUT_BYTES = 4096;
/** How long a check may take to start; that time does not count for its own limit. */
const START_DEADLINE_MS = 30_000;

/**
 * Runs one check as an exec like any other. It is killed with all its children when its time is over or `signal` fires;
 * the exec is forgotten afterwards. @throws {EngineError} when it can not be started
 */
export async function runProbe(
  execs: Execs,
  id: ContainerId,
  { plan, signal }: { plan: HealthPlan; signal: AbortSignal },
): Promise<ProbeOutcome> {
  const exec = execs.create(id, {
    command: plan.command,
    env: [],
    user: undefined,
    workingDir: undefined,
    tty: false,
    isPrivileged: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    detachKeys: undefined,
    consoleSize: undefined,
  });
  try {
    const starting = execs.start(exec.id, { detach: false, endsWithEngine: true });
    const running = await within(starting, START_DEADLINE_MS, signal);
    if (running === undefined) {
      void starting.then(end, () => undefined);
      return { exitCode: -1, output: `timed out starting health check for container ${id}` };
    }
    return await watchProbe(running, plan, signal);
  } finally {
    execs.forget(exec.id);
  }
}

async function watchProbe(
  running: RunningExec,
  plan: HealthPlan,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const output = new BoundedText(MAX_OUTPUT_BYTES);
  const reading = readInto(output, running);
  const ended = Promise.all([running.exited, reading]).then(([exitCode]) => exitCode);
  const exitCode = await within(ended, plan.timeoutMs, signal);
  if (exitCode !== undefined) {
    await running.attachment?.[Symbol.asyncDispose]();
    return { exitCode, output: output.toString() };
  }
  await end(running);
  const text = output.toString();
  const limit = `Health check exceeded timeout (${goDuration(plan.timeoutMs)})`;
  return { exitCode: -1, output: text === "" ? limit : `${limit}: ${text}` };
}

/** Kills it, and waits until it is gone: dying checks must not pile up. */
async function end(running: RunningExec): Promise<void> {
  running.kill();
  await running.exited.catch(() => undefined);
  await running.attachment?.[Symbol.asyncDispose]();
}

async function readInto(text: BoundedText, { attachment }: RunningExec): Promise<void> {
  for await (const { data } of attachment?.output ?? []) text.append(data);
}

/** `undefined` when the time is over or `signal` has fired. */
async function within<T>(
  promise: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const giveUp = (): void => resolve(undefined);
  const timer = setTimeout(giveUp, timeoutMs);
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}

/** The beginning of what is written; `...` stands for the rest. */
export class BoundedText {
  readonly #maxBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #isCut = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  append(data: Uint8Array): void {
    const kept = data.slice(0, this.#maxBytes - this.#bytes);
    if (kept.length > 0) this.#chunks.push(kept);
    this.#bytes += kept.length;
    if (kept.length < data.length) this.#isCut = true;
  }

  /** Bytes that are no UTF-8 become U+FFFD. */
  toString(): string {
    return new TextDecoder().decode(Buffer.concat(this.#chunks)) + (this.#isCut ? "..." : "");
  }
}
