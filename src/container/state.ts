import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";

/** How a process ended. Times are epoch milliseconds. */
export interface Exit {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly startedAt: number;
  readonly finishedAt: number;
}

interface Alive {
  readonly pid: number;
  readonly startedAt: number;
  /** The end of the run before this one. */
  readonly previousFinishedAt?: number;
}

/** Why the last start came to nothing; the exit code is the one that a shell would give: 126, 127, 128. */
export interface StartFailure {
  readonly exitCode: number;
  readonly message: string;
}

export interface Created {
  readonly status: "created";
  readonly failure?: StartFailure;
}

export interface Running extends Alive {
  readonly status: "running";
}

export interface Paused extends Alive {
  readonly status: "paused";
}

/** Ended, and to be started again by its restart policy. */
export interface Restarting extends Exit {
  readonly status: "restarting";
}

export interface Exited extends Exit {
  readonly status: "exited";
  readonly failure?: StartFailure;
}

/** Being deleted; `before` is what it was, in case that is asked for. */
export interface Removing {
  readonly status: "removing";
  readonly before: Created | Exited | Dead;
}

/** Could not be deleted whole; only another removal is possible. */
export interface Dead {
  readonly status: "dead";
  readonly exitCode: number;
  readonly finishedAt: number;
  readonly message: string;
}

/**
 * One member per state, each holding only the facts true in it.
 *
 *     created ─▶ running ◀─▶ paused
 *        │         │  ▲        │
 *        │         ▼  │        ▼
 *        │      restarting ─▶ exited ─▶ running
 *        └──────────────▶ removing ◀──┘
 *                             │
 *                             ▼
 *                            dead ─▶ removing
 */
export type State = Created | Running | Paused | Restarting | Exited | Removing | Dead;

export type Status = State["status"];

export const CREATED: Created = { status: "created" };

/** @throws {EngineError} conflict when the container runs already, is paused, or is being removed */
export function started(state: State, pid: number, at: number): Running {
  const from = allow("start", state, "created", "exited", "restarting");
  return {
    status: "running",
    pid,
    startedAt: at,
    ...("finishedAt" in from && { previousFinishedAt: from.finishedAt }),
  };
}

/** The start came to nothing: the state stays what it was and says why. */
export function startFailed(state: State, failure: StartFailure): Created | Exited {
  const from = allow("start", state, "created", "exited", "restarting");
  if (from.status === "created") return { status: "created", failure };
  return { ...from, status: "exited", exitCode: failure.exitCode, failure };
}

export function paused(state: State): Paused {
  return { ...allow("pause", state, "running"), status: "paused" };
}

export function unpaused(state: State): Running {
  return { ...allow("unpause", state, "paused"), status: "running" };
}

export interface ProcessEnd {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly finishedAt: number;
}

/** The process has ended; `willRestart` is the restart policy's decision. */
export function ended(state: State, end: ProcessEnd, willRestart: boolean): Exited | Restarting {
  const { startedAt } = allow("end", state, "running", "paused");
  const { exitCode, oomKilled, finishedAt } = end;
  return { status: willRestart ? "restarting" : "exited", exitCode, oomKilled, finishedAt, startedAt };
}

/** A pending restart was called off. */
export function restartCancelled(state: State): Exited {
  return { ...allow("stop", state, "restarting"), status: "exited" };
}

export function removing(state: State): Removing {
  if (state.status === "removing") return state;
  const from = allow("remove", state, "created", "exited", "restarting", "dead");
  return {
    status: "removing",
    before: from.status === "restarting" ? { ...from, status: "exited" } : from,
  };
}

/** The removal came to nothing. */
export function died(state: State, message: string): Dead {
  const { before } = allow("end", state, "removing");
  return {
    status: "dead",
    exitCode: before.status === "created" ? (before.failure?.exitCode ?? 0) : before.exitCode,
    finishedAt: before.status === "created" ? 0 : before.finishedAt,
    message,
  };
}

/** True while a process of the container exists, as the API's `Running` says it: also when frozen. */
export function isAlive(state: State): state is Running | Paused {
  return state.status === "running" || state.status === "paused";
}

/** The exit code as the API shows it: 0 until there is one. */
export function exitCodeOf(state: State): number {
  switch (state.status) {
    case "created":
      return state.failure?.exitCode ?? 0;
    case "running":
    case "paused":
      return 0;
    case "restarting":
    case "exited":
    case "dead":
      return state.exitCode;
    case "removing":
      return exitCodeOf(state.before);
  }
}

function allow<S extends Status>(verb: string, state: State, ...allowed: S[]): Extract<State, { status: S }> {
  const statuses: readonly Status[] = allowed;
  if (statuses.includes(state.status)) {
    // `includes` has just compared the discriminant.
    return state as Extract<State, { status: S }>;
  }
  throw new EngineError("conflict", `Cannot ${verb} the container: it is ${state.status}`);
}

/** Reads a state from a record. @throws {EngineError} invalid */
export function decodeState(value: unknown): State {
  const fields = new Fields(value, "state");
  const status = fields.string("status");
  switch (status) {
    case "created":
      return { status, ...failureOf(fields) };
    case "running":
    case "paused":
      return { status, ...aliveOf(fields) };
    case "restarting":
      return { status, ...exitOf(fields) };
    case "exited":
      return { status, ...exitOf(fields), ...failureOf(fields) };
    case "removing":
      return { status, before: decodeBefore(fields.raw("before")) };
    case "dead":
      return {
        status,
        exitCode: number(fields, "exitCode"),
        finishedAt: number(fields, "finishedAt"),
        message: fields.string("message") ?? "",
      };
    default:
      throw new EngineError("invalid", `Cannot read state: status "${String(status)}" is not known`);
  }
}

function decodeBefore(value: unknown): Created | Exited | Dead {
  const before = decodeState(value);
  if (before.status === "created" || before.status === "exited" || before.status === "dead") return before;
  throw new EngineError("invalid", `Cannot read state.before: it is ${before.status}`);
}

function aliveOf(fields: Fields): Alive {
  const previousFinishedAt = fields.integer("previousFinishedAt");
  return {
    pid: number(fields, "pid"),
    startedAt: number(fields, "startedAt"),
    ...(previousFinishedAt !== undefined && { previousFinishedAt }),
  };
}

function exitOf(fields: Fields): Exit {
  return {
    exitCode: number(fields, "exitCode"),
    oomKilled: fields.boolean("oomKilled") ?? false,
    startedAt: number(fields, "startedAt"),
    finishedAt: number(fields, "finishedAt"),
  };
}

function failureOf(fields: Fields): { readonly failure?: StartFailure } {
  if (!fields.has("failure")) return {};
  const failure = fields.object("failure");
  return { failure: { exitCode: number(failure, "exitCode"), message: failure.string("message") ?? "" } };
}

function number(fields: Fields, key: string): number {
  return fields.required(key, fields.integer(key));
}
