import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Connection, Dial } from "#api/dial.ts";
import { EngineError, isErrno } from "#base/errors.ts";

export interface EngineFolders {
  readonly root: string | undefined;
  readonly run: string;
}

/** The program that is started, without `daemon` and its flags, and whether we may. */
export interface EngineProgram {
  readonly command: readonly string[];
  readonly isRoot: boolean;
}

/** Exit code of a `darse daemon` that found another engine at work on the same root: that one is waited for. */
const ANOTHER_ENGINE = 17;
const DEADLINE_MS = 10_000;
const POLL_MS = 2;
/** How long an engine that holds the lock may take to answer before a start is tried again: it may be ending. */
const YIELD_MS = 500;
const LOG_LINES = 5;

/**
 * Connects, and when nothing answers starts the engine and connects again. However many commands do this at once, one
 * engine stays: the daemon itself takes a lock, and those that lose end.
 */
export function startingDial(dial: Dial, folders: EngineFolders, program = ownProgram()): Dial {
  return async (host) => {
    try {
      return await dial(host);
    } catch (error) {
      if (!isUnanswered(error)) throw error;
    }
    if (!program.isRoot) throw needsRoot();
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const engine = await spawnEngine(program.command, folders);
      const connection = await connectWhenReady(() => dial(host), engine, deadline);
      if (connection) return connection;
    }
  };
}

interface StartedEngine {
  /** The exit code, once it has one. */
  readonly exited: () => number | undefined;
  readonly logPath: string;
}

/** `undefined` when the engine gave way to another one that then went away: the next try may be ours. */
async function connectWhenReady(
  connect: () => Promise<Connection>,
  { exited, logPath }: StartedEngine,
  deadline: number,
): Promise<Connection | undefined> {
  const started = Date.now();
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      if (!isUnanswered(error)) throw error;
    }
    const code = exited();
    const isOver = Date.now() > deadline;
    if (isOver || (code !== undefined && code !== ANOTHER_ENGINE)) throw notStarted(code, logPath);
    if (code === ANOTHER_ENGINE && Date.now() > started + YIELD_MS) return undefined;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Starts `darse daemon` in a session of its own, so that neither Ctrl-C nor a hang-up reaches it. */
async function spawnEngine(command: readonly string[], folders: EngineFolders): Promise<StartedEngine> {
  const { spawn } = await import("node:child_process");
  const logPath = join(folders.run, "engine.log");
  mkdirSync(folders.run, { recursive: true, mode: 0o700 });
  const log = openSync(logPath, "a", 0o600);
  const [program = "", ...args] = command;
  const root = folders.root === undefined ? [] : ["--root", folders.root];
  const child = spawn(program, [...args, "daemon", ...root, "--run", folders.run], {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
  });
  closeSync(log);
  child.unref();
  let code: number | undefined;
  child.on("error", () => {
    code = 127;
  });
  child.on("exit", (exitCode) => {
    code = exitCode ?? 1;
  });
  return { exited: () => code, logPath };
}

/** This program once more: the compiled executable, or Bun with the entry file. */
function ownProgram(): EngineProgram {
  const entry = process.argv[1] ?? "";
  const isCompiled = !/\.(ts|js)$/.test(entry) || entry.startsWith("/$bunfs/");
  const command = isCompiled ? [process.execPath] : [process.execPath, entry];
  return { command, isRoot: process.getuid?.() === 0 };
}

function isUnanswered(error: unknown): boolean {
  return EngineError.is(error, "unavailable") && isErrno(error.cause, "ENOENT", "ECONNREFUSED");
}

function needsRoot(): EngineError {
  return new EngineError("forbidden", "Cannot start the engine: it needs root, and no engine answers", {
    hint: "Run the command as root, for example: sudo darse ps",
  });
}

function notStarted(code: number | undefined, logPath: string): EngineError {
  const state =
    code === undefined
      ? `it did not answer within ${DEADLINE_MS / 1000} seconds`
      : `it exited with code ${code}`;
  const lines = lastLines(logPath);
  return new EngineError(
    "unavailable",
    `Cannot start the engine: ${state}${lines === "" ? "" : `\n${lines}`}`,
    {
      hint: `See ${logPath}; "darse doctor" finds what is missing on this machine`,
    },
  );
}

function lastLines(path: string): string {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-LOG_LINES).join("\n");
  } catch {
    return "";
  }
}
